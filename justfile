# The same recipes as ./dev, for those who have just.
test *args:
    ./dev test {{args}}
check:
    ./dev check
audit:
    ./dev audit
gen:
    ./dev gen
golden:
    ./dev golden
proof *args:
    ./dev proof {{args}}
bench:
    ./dev bench
fmt:
    uv run ruff format .
    uv run ruff check --fix .
