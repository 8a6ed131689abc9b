# SPDX-License-Identifier: Apache-2.0
"""The real KEDA and its HTTP add-on, with their own manifests, as pods of a control plane.

binaries.py  KEDA's operator, the interceptor and the external scaler, from their Go modules
install.py   their manifests, as the modules have them
google.py    the stand-ins for what they ask of Google: the metadata server and Cloud Monitoring
"""
