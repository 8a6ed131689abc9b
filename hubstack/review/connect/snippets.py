# SPDX-License-Identifier: Apache-2.0
"""Snippets that call a model: curl, OpenAI's clients for Python and JavaScript, and LangChain. Pure.

Owns their text. A snippet reads the key from OPENAI_API_KEY and never contains one.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.hub.facts import ModelFacts
from hubstack.plan import ModelPlan, Plan
from hubstack.review.callers import KEY_VARIABLE, Address, key_source
from hubstack.review.smoke.questions import ask_of

NO_KEY = "unused"
"""Sent where the stack needs no key, because OpenAI's clients refuse to start without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A question of `hubstack.review.smoke.questions`, as a caller writes it."""

    what: str
    """`chat`, `embedding`, `ranking` ..."""
    base: str
    """Base URL up to `/v1`."""
    url: str
    """URL of the request."""
    body: Mapping[str, Any]
    """Fields of the request; of the form, for a transcription."""
    file: str | None = None
    """Name of the file that is sent as a form."""
    needs_key: bool = False
    model: str = ""


def call_of(plan: Plan, model: ModelPlan, facts: ModelFacts, address: Address, name: str | None = None) -> Call:
    """Return the request that the model's task needs.

    Args:
        plan: the plan.
        model: the model.
        facts: its locked facts.
        address: where it is called.
        name: the adapter that is called. Default: the model itself.

    Raises:
        InputError: the model has no API that these snippets call.
    """
    asked, skipped = ask_of(plan, {model.key: facts}, {model.key: address}, 1, None, only=model.key)
    if not asked["models"]:
        why = next((each.why for each in skipped if each.key == model.key), "has no request")
        hint = "`hubstack explain ENV` says where it runs"
        raise InputError([Problem(path=model.key, message=f"`{model.key}` {why}", hint=hint)])
    question = asked["models"][0]["questions"][0]
    sent = question.get("form") or question["body"]
    own = question["url"].partition("/v1")[0]
    return Call(
        what=question["what"],
        base=f"{own}/v1" if "/v1" in question["url"] else f"{address.url}/v1",
        url=question["url"],
        body={**sent, "model": name} if name and "model" in sent else sent,
        file=question["file"]["name"] if "form" in question else None,
        needs_key=key_source(plan, model) is not None,
        model=name or model.key,
    )


def snippets(call: Call, languages: Sequence[str]) -> dict[str, str]:
    """Return language to snippet; without the languages whose client has no such request.

    Raises:
        InputError: none of them has it.
    """
    written = {language: text for language in languages if (text := _LANGUAGES[language](call)) is not None}
    if not written:
        message = f"the client has no request for {call.what}"
        raise InputError([Problem(path="--lang", message=message, hint="--lang curl calls every model")])
    return written


def _curl(call: Call) -> str:
    words = [f"curl --no-buffer {shlex.quote(call.url)}"]
    if call.needs_key:
        words.append(f'--header "Authorization: Bearer ${KEY_VARIABLE}"')
    if call.file:
        words += [f"--form {name}={shlex.quote(str(value))}" for name, value in call.body.items()]
        words.append(f"--form file=@{call.file}")
    else:
        words.append("--header 'Content-Type: application/json'")
        words.append(f"--data {shlex.quote(json.dumps(call.body, ensure_ascii=False))}")
    return " \\\n  ".join(words)


def _python(call: Call) -> str | None:
    request = _PYTHON.get(call.what)
    if request is None:
        return None
    key = f'os.environ["{KEY_VARIABLE}"]' if call.needs_key else json.dumps(NO_KEY)
    lines = ["import os", ""] if call.needs_key else []
    return "\n".join(
        [
            "# uv run --with openai python FILE",
            *lines,
            "from openai import OpenAI",
            "",
            f"client = OpenAI(base_url={json.dumps(call.base)}, api_key={key})",
            request.format(model=json.dumps(call.model), file=json.dumps(call.file)),
        ]
    )


_PYTHON = {
    "chat": """\
stream = client.chat.completions.create(
    model={model}, messages=[{{"role": "user", "content": "Say hello."}}], stream=True
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()""",
    "completion": """\
answer = client.completions.create(model={model}, prompt="The capital of France is", max_tokens=32)
print(answer.choices[0].text)""",
    "embedding": """\
answer = client.embeddings.create(model={model}, input=["Paris is the capital of France."])
print(len(answer.data[0].embedding))""",
    "transcription": """\
with open({file}, "rb") as file:
    print(client.audio.transcriptions.create(model={model}, file=file).text)""",
}


def _js(call: Call) -> str | None:
    request = _JS.get(call.what)
    if request is None:
        return None
    key = f"process.env.{KEY_VARIABLE}" if call.needs_key else json.dumps(NO_KEY)
    head = [
        "// npm install openai; node FILE.mjs",
        'import OpenAI from "openai";' + ('\nimport fs from "node:fs";' if call.file else ""),
        "",
        f"const client = new OpenAI({{ baseURL: {json.dumps(call.base)}, apiKey: {key} }});",
    ]
    return "\n".join([*head, request.format(model=json.dumps(call.model), file=json.dumps(call.file))])


_JS = {
    "chat": """\
const stream = await client.chat.completions.create({{
  model: {model},
  messages: [{{ role: "user", content: "Say hello." }}],
  stream: true,
}});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
console.log();""",
    "completion": """\
const answer = await client.completions.create({{
  model: {model},
  prompt: "The capital of France is",
  max_tokens: 32,
}});
console.log(answer.choices[0].text);""",
    "embedding": """\
const answer = await client.embeddings.create({{
  model: {model},
  input: ["Paris is the capital of France."],
  encoding_format: "float",
}});
console.log(answer.data[0].embedding.length);""",
    "transcription": """\
const answer = await client.audio.transcriptions.create({{ model: {model}, file: fs.createReadStream({file}) }});
console.log(answer.text);""",
}


def _langchain(call: Call) -> str | None:
    key = f'os.environ["{KEY_VARIABLE}"]' if call.needs_key else json.dumps(NO_KEY)
    named = f"base_url={json.dumps(call.base)}, api_key={key}, model={json.dumps(call.model)}"
    lines = ["import os", ""] if call.needs_key else []
    head = ["# uv run --with langchain-openai python FILE", *lines]
    if call.what == "chat":
        body = ["from langchain_openai import ChatOpenAI", "", f"model = ChatOpenAI({named})"]
        body += [
            'for chunk in model.stream("Say hello."):',
            '    print(chunk.content, end="", flush=True)',
            "print()",
        ]
    elif call.what == "embedding":
        # Without the check, the client sends tokens of OpenAI's tokenizer instead of texts.
        body = ["from langchain_openai import OpenAIEmbeddings", ""]
        body += [f"model = OpenAIEmbeddings({named}, check_embedding_ctx_length=False)"]
        body += ['print(len(model.embed_query("Paris is the capital of France.")))']
    else:
        return None
    return "\n".join([*head, *body])


_LANGUAGES: Mapping[str, Callable[[Call], str | None]] = {
    "curl": _curl,
    "python": _python,
    "js": _js,
    "langchain": _langchain,
}
