"""What the official client sends for the tasks of flow.yaml, held against what we send.

    python3 compare.py ENDPOINT OURS.jsonl THEIRS.jsonl

Bodies must mean the same; what differs otherwise is printed.
"""

import json
import os
import sys

import openai

# What clients say of themselves, and what differs from connection to connection.
ABOUT_ITSELF = ("x-stainless-", "user-agent", "host", "content-length", "accept-encoding", "connection", "traceparent")


def theirs(endpoint):
    client = openai.OpenAI(base_url=endpoint, api_key=os.environ["LLM_KEY"], max_retries=0)
    river = dict(model="random", messages=[{"role": "user", "content": "Name a river"}],
                 temperature=0.5, max_tokens=24, seed=3)
    list(client.chat.completions.create(**river, stream=True, stream_options={"include_usage": True}))
    client.chat.completions.create(**river)
    schema = {"type": "object", "properties": {"kind": {"enum": ["river", "lake"]}, "is_long": {"type": "boolean"}},
              "required": ["kind", "is_long"], "additionalProperties": False}
    list(client.chat.completions.create(
        model="random", messages=[{"role": "user", "content": "Is it long?"}], max_tokens=200, stream=True,
        stream_options={"include_usage": True},
        response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}))
    client.embeddings.create(model="random", input=["a river"], encoding_format="float")
    client.embeddings.create(model="random", input=["a river", "a lake", "a road"], encoding_format="float")


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def by_body(requests):
    return {json.dumps(it["body"], sort_keys=True): it for it in requests}


def headers(request):
    return {name: value for name, value in request["headers"].items() if not name.startswith(ABOUT_ITSELF)}


def main(endpoint, our_path, their_path):
    if endpoint:
        theirs(endpoint)
    ours, others = by_body(read(our_path)), by_body(read(their_path))
    faults = []
    for body in ours.keys() ^ others.keys():
        faults.append(f"only {'we' if body in ours else 'the official client'} sent {body}")
    for body in ours.keys() & others.keys():
        one, other = ours[body], others[body]
        for key in ("method", "url"):
            if one[key] != other[key]:
                faults.append(f"{key}: {one[key]} and {other[key]}")
        mine, its = headers(one), headers(other)
        for name in sorted(mine.keys() | its.keys()):
            if mine.get(name) != its.get(name):
                print(f"{one['url']} {name}: {mine.get(name)!r} and {its.get(name)!r}")
    print(f"{len(ours.keys() & others.keys())} requests with equal bodies")
    if faults:
        sys.exit("\n".join(faults))


main(*sys.argv[1:4])
