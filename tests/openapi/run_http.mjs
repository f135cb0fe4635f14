// Sends the requests of a .http file, as the REST Client of Visual Studio Code does, one after the
// other, and compares each status with what the file says.
//
//   node tests/openapi/run_http.mjs FILE HOST
//
// HOST takes the place of the file's `@host`. What is understood:
//   @name = value                          a variable
//   ### Title. Answers 200                 begins a request, whose answer must have this status
//   ### Title. Answers 304, or 200 ...     one of these two
//   # comment, // comment                  before the request's first line
//   # @name reserve                        names the request for those after it
//   METHOD URL, headers, a blank line, a body
//   {{name}}, {{$guid}}                    a variable, a new UUID
//   {{reserve.response.body.$.member}}     a member of an earlier answer
//   {{reserve.response.headers.ETag}}      a header of an earlier answer
// Anything else fails. So does a file that leaves out an operation of docs/openapi.yaml.
//
// If LEASEHOLD_ANSWERS names a file, the answers are written to it for check_answers.mjs.
import { randomUUID } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { Document, NOT_TESTED } from "./document.mjs";

const PREFIX = "/api";
const [file, host] = process.argv.slice(2);
const variables = new Map();
const answers = new Map(); // by the request's name

function parse(text) {
  const [top, ...blocks] = text.split(/^###/m);
  for (const [, name, value] of top.matchAll(/^@(\w+) *= *(.*?) *$/gm)) {
    variables.set(name, value);
  }
  return blocks.map((block) => {
    const [title, ...lines] = block.split("\n");
    const name = lines.map((line) => /^(?:#|\/\/) @name (\w+)$/.exec(line)?.[1]).find(Boolean);
    const begin = lines.findIndex((line) => line !== "" && !/^(#|\/\/)/.test(line));
    const blank = lines.indexOf("", begin);
    const [line, ...headers] = lines.slice(begin, blank < 0 ? undefined : blank);
    const body = blank < 0 ? "" : lines.slice(blank + 1).join("\n").trim();
    const statuses = (/ Answers (\d{3})(?:, or (\d{3}) .*)?$/.exec(title) ?? []).slice(1).map(Number);
    if (begin < 0 || statuses.length === 0) {
      throw new Error(`"${title.trim()}" has no request, or does not say what it answers`);
    }
    return { title: title.trim(), name, statuses, line, headers, body };
  });
}

function valueOf(expression) {
  if (expression === "$guid") {
    return randomUUID();
  }
  if (variables.has(expression)) {
    return variables.get(expression);
  }
  const [, name, part, rest] = /^(\w+)\.response\.(headers\.|body\.\$\.)(.+)$/.exec(expression) ?? [];
  const answer = answers.get(name);
  const value = part?.startsWith("body")
    ? rest.split(".").reduce((at, member) => at?.[member], JSON.parse(answer?.body ?? "null"))
    : answer?.headers[rest?.toLowerCase()];
  if (value === undefined) {
    throw new Error(`{{${expression}}} has no value`);
  }
  return String(value);
}

function fill(text) {
  return text.replace(/\{\{([^}]*)\}\}/g, (_, expression) => valueOf(expression.trim()));
}

function send(method, url, headers, body) {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

// As tests/support/calls/answer_record.c does.
function record(method, url, headers, body, answer) {
  const head = (first, lines) =>
    [first, ...Object.entries(lines).map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  const asked = head(`${method} ${url.pathname}${url.search} HTTP/1.1`, headers) + body;
  const answered = head(`HTTP/1.1 ${answer.status}`, answer.headers) + answer.body;
  const line = {
    server: "host",
    connection: "http-0",
    request: Buffer.from(asked).toString("base64"),
    answer: Buffer.from(answered).toString("base64"),
  };
  appendFileSync(process.env.LEASEHOLD_ANSWERS, `${JSON.stringify(line)}\n`);
}

async function run({ title, name, statuses, line, headers, body }) {
  const [, method, target] = /^([A-Z]+) (\S+)$/.exec(fill(line)) ?? [];
  const url = new URL(target);
  const lines = Object.fromEntries(headers.map((header) => fill(header).split(/: *(.*)/s).slice(0, 2)));
  const text = fill(body);
  // A POST has this header, also without a body.
  const framed = method === "GET" ? lines : { ...lines, "Content-Length": Buffer.byteLength(text) };
  const answer = await send(method, url, framed, text);
  if (process.env.LEASEHOLD_ANSWERS) {
    record(method, url, framed, text, answer);
  }
  if (name) {
    answers.set(name, answer);
  }
  const isRight = statuses.includes(answer.status);
  console.log(`${isRight ? "ok  " : "FAIL"}  ${answer.status}  ${title}`);
  if (!isRight) {
    console.log(`      ${method} ${url.pathname}${url.search}: ${answer.body}`);
  }
  return { isRight, operation: document.find(method, url.pathname.slice(PREFIX.length)).operation };
}

const document = new Document(new URL("../../docs/openapi.yaml", import.meta.url).pathname);
const requests = parse(readFileSync(file, "utf8"));
variables.set("host", host);
const shown = new Set();
let failed = 0;
for (const request of requests) {
  const { isRight, operation } = await run(request);
  failed += isRight ? 0 : 1;
  shown.add(operation?.id);
}
for (const { id } of document.operations) {
  if (!shown.has(id) && !NOT_TESTED.includes(id)) {
    console.log(`FAIL  no request of ${file} is ${id}`);
    failed++;
  }
}
console.log(`${requests.length} requests, ${failed} failures`);
process.exit(failed > 0 || requests.length === 0 ? 1 : 0);
