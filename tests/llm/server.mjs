// A small server compatible with OpenAI's on a real llama.cpp, by the npm package node-llama-cpp.
//
//     node server.mjs MODEL.gguf PORT_FILE RECORD_FILE [PAUSE_MS]
//
// It writes its port and, for each request, a line of JSON with what it was sent. A JSON Schema is
// held to by a grammar, as llama.cpp's own server does. With a pause it takes at least that long
// for each answer, as a larger model would.
import fs from "node:fs";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { getLlama, LlamaCompletion } from "node-llama-cpp";

const [path, portFile, recordFile, pause] = process.argv.slice(2);
// With more threads than cores a token takes a second.
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
const model = await llama.loadModel({ modelPath: path });
const context = await model.createContext({ contextSize: 1024, threads: 1, sequences: 1 });
const embedder = await model.createEmbeddingContext({ contextSize: 512, threads: 1 });
let turn = Promise.resolve();

async function generate(asked, onText) {
  const sequence = context.getSequence();
  try {
    const completion = new LlamaCompletion({ contextSequence: sequence });
    const prompt = asked.messages.map((it) => `${it.role}: ${it.content}\n`).join("");
    const schema = asked.response_format?.json_schema?.schema;
    const grammar = schema && (await llama.createGrammarForJsonSchema(schema));
    const options = { maxTokens: asked.max_tokens ?? 32, temperature: asked.temperature ?? 0 };
    const seed = asked.seed ?? 7;
    const input = model.tokenize(prompt).slice(-400);
    let received = 0;
    const onToken = (tokens) => { received += tokens.length; };
    const made = await completion.generateCompletionWithMeta(input, {
      ...options, seed, grammar, onToken, onTextChunk: onText,
    });
    const reason = made.metadata.stopReason === "maxTokens" ? "length" : "stop";
    return { text: made.response, reason, sent: input.length, received };
  } finally {
    sequence.dispose();
  }
}

async function chat(asked, response) {
  const event = (value) => response.write(`data: ${JSON.stringify(value)}\n\n`);
  if (asked.stream) response.writeHead(200, { "content-type": "text/event-stream" });
  const made = await generate(asked, (text) => {
    if (asked.stream) event({ choices: [{ index: 0, delta: { content: text } }] });
  });
  const usage = {
    prompt_tokens: made.sent, completion_tokens: made.received, total_tokens: made.sent + made.received,
  };
  if (!asked.stream) {
    const message = { role: "assistant", content: made.text };
    const choices = [{ index: 0, message, finish_reason: made.reason }];
    response.writeHead(200, { "content-type": "application/json" });
    return response.end(JSON.stringify({ object: "chat.completion", choices, usage }));
  }
  event({ choices: [{ index: 0, delta: {}, finish_reason: made.reason }] });
  if (asked.stream_options?.include_usage) event({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

async function embeddings(asked, response) {
  const inputs = [asked.input].flat();
  const data = [];
  let tokens = 0;
  for (const [index, input] of inputs.entries()) {
    tokens += model.tokenize(input).length;
    const { vector } = await embedder.getEmbeddingFor(input);
    const packed = Buffer.from(Float32Array.from(vector).buffer).toString("base64");
    const embedding = asked.encoding_format === "base64" ? packed : [...vector];
    data.push({ object: "embedding", index, embedding });
  }
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ object: "list", data, usage }));
}

const server = http.createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = JSON.parse(Buffer.concat(pieces).toString() || "{}");
  const { method, url, headers } = request;
  fs.appendFileSync(recordFile, JSON.stringify({ method, url, headers, body }) + "\n");
  const work = url.endsWith("/embeddings") ? embeddings : chat;
  // One after the other: there is one sequence.
  turn = turn.then(() => sleep(Number(pause ?? 0))).then(() => work(body, response)).catch((error) => {
    if (!response.headersSent) response.writeHead(500);
    response.end(JSON.stringify({ error: { message: String(error) } }));
  });
});
server.listen(0, "127.0.0.1", () => fs.writeFileSync(portFile, String(server.address().port)));
