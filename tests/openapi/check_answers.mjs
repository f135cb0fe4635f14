// Holds every answer that the end-to-end tests got to docs/openapi.yaml.
//
//   node tests/openapi/check_answers.mjs [--all] FILE...
//
// The files are those that tests/support/calls/answer_record.c writes. --all says that all the
// tests have run: then each operation of the document must have been carried out at least once.
//
// Prints a line for each operation and status, the first faults of each, and libcheck's line of
// counts at the end. Exits with 1 if there is a fault.
//
// Which rule an answer is judged by
//   an operation's      Its request has the method and the path of an operation, below the route
//                       prefix. The answer must be one that the operation describes. If it is a
//                       200, the request must be one that the document describes, too.
//   nobody's            No operation has that method and path, or the request cannot be read as
//                       HTTP. The answer must be one of those that do not depend on an operation:
//                       BadRequest, NotFound, MethodNotAllowed, Unreadable and so on.
//   anybody's           A test has sent malformed requests and read until the connection ended.
//                       Each whole answer must be one that some operation describes, or nobody's.
//                       The envelope of an invocation is opened first.
//   the host's own      It is empty and has no x-ms-request-id. Allowed if it is from a host, and
//                       the response is marked x-empty-from-host.
//   not the API's       What only the host asks of the handler: GET / and POST /{FunctionName}. And
//                       the host's own pages: / and /admin/... They are counted apart.
// Answers of other servers are not in the files.
import { existsSync, readFileSync } from "node:fs";
import { Document, NOT_TESTED } from "./document.mjs";

const PREFIX = "/api";
const SHOWN_FAULTS = 3;
const POLL_ANSWER = '{"status":"ok"}'; // to GET /

const isAll = process.argv[2] === "--all";
const files = process.argv.slice(isAll ? 3 : 2);
const root = new URL("../..", import.meta.url).pathname;
const document = new Document(`${root}/docs/openapi.yaml`);
const checks = new Map(); // "reserveInventory 200" -> {count, faults}
const apart = { "of the host's own pages and protocol": 0 };
const carriedOut = new Set(); // ids of operations
let judged = 0;

// ---- messages ----

// Reads a message's first line and headers. A header that is there twice is joined, as HTTP says.
function readHead(bytes) {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) {
    return null;
  }
  const [line, ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = {};
  for (const header of lines) {
    const [, name, value] = /^([^:]*):[ \t]*(.*?)[ \t]*$/.exec(header) ?? [];
    if (name) {
      const key = name.toLowerCase();
      headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
    }
  }
  return { line, headers, rest: bytes.subarray(end + 4) };
}

function readChunks(bytes) {
  const parts = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf("\r\n", at);
    const size = end < 0 ? NaN : parseInt(bytes.subarray(at, end).toString("latin1"), 16);
    if (!(size > 0)) {
      return { body: Buffer.concat(parts), rest: bytes.subarray(end < 0 ? bytes.length : end + 4) };
    }
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

// Returns null for what cannot be read as a request.
function readRequest(bytes) {
  const head = readHead(bytes);
  const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(head?.line ?? "") ?? [];
  if (!method) {
    return null;
  }
  const url = /^https?:\/\/[^/]*(\/.*)$/.exec(target)?.[1] ?? target;
  const [path, query = ""] = url.split(/\?(.*)/s);
  const isChunked = /chunked/i.test(head.headers["transfer-encoding"] ?? "");
  const length = parseInt(head.headers["content-length"] ?? "0", 10) || 0;
  const { body, rest } = isChunked
    ? readChunks(head.rest)
    : { body: head.rest.subarray(0, length), rest: head.rest.subarray(length) };
  return { method, path: withoutDots(path), query, headers: head.headers, body, rest };
}

// RFC 3986, section 5.2.4, which the host carries out before it routes.
function withoutDots(path) {
  const out = [];
  for (const part of path.split("/")) {
    const plain = part.replace(/%2e/gi, ".");
    if (plain === "..") {
      out.splice(Math.max(1, out.length - 1), 1);
    } else if (plain !== ".") {
      out.push(part);
    }
  }
  return out.join("/");
}

function readAnswer(bytes) {
  const head = readHead(bytes);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head.line)[1]);
  return { status, headers: head.headers, body: head.rest };
}

// ---- judging ----

function note(name, faults, where, request, answer) {
  const check = checks.get(name) ?? { count: 0, faults: [], faultCount: 0 };
  checks.set(name, check);
  check.count++;
  if (faults.length > 0 && check.faultCount++ < SHOWN_FAULTS) {
    const asked = request ? `${request.method} ${request.path} ${request.query}` : "unreadable";
    const body = answer.body.toString("utf8").slice(0, 500);
    check.faults.push(`${where}: ${asked}: ${answer.status} ${body}\n        ${faults.join("\n        ")}`);
  }
}

// True for what the host asks of a handler in its own name, and for the host's own pages.
function isHostsAffair(server, path) {
  const name = path.slice(1);
  const isInvocation = !name.includes("/") && existsSync(`${root}/${name}/function.json`);
  return path === "/" || (server === "handler" ? isInvocation : name.startsWith("admin/"));
}

function judge(where, record, request, answer) {
  if (request && isHostsAffair(record.server, request.path)) {
    apart["of the host's own pages and protocol"]++;
    return;
  }
  judged++;
  const inApi = request?.path.toLowerCase().startsWith(`${PREFIX}/`);
  const found = inApi ? document.find(request.method, request.path.slice(PREFIX.length)) : {};
  if (!found.operation) {
    const faults = document.answerFaults(document.shared, answer, request?.method, record.server);
    note(`no operation ${answer.status}`, faults, where, request, answer);
    return;
  }
  const { operation, params } = found;
  const faults = document.answerFaults(operation.responses, answer, request.method, record.server);
  if (answer.status === 200) {
    carriedOut.add(operation.id);
    faults.push(
      ...(record.isCut
        ? ["carried out, though its body is larger than any that is allowed"]
        : document.requestFaults(operation, params, request)),
    );
  }
  note(`${operation.id} ${answer.status}`, faults, where, request, answer);
}

// A head whose body is another answer's head is that of an answer to HEAD. An answer that the test
// had no room for, or that was cut off by the end, is left out.
function splitAnswers(bytes) {
  const answers = [];
  for (let rest = bytes; ; ) {
    const head = readHead(rest);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head?.line ?? "")?.[1]);
    const isBodiless = status < 200 || head?.rest.subarray(0, 9).toString() === "HTTP/1.1 ";
    const length = isBodiless ? 0 : Number(head?.headers["content-length"] ?? 0);
    if (!(status > 0) || (!isBodiless && head.rest.length > 0 && head.rest.length < length)) {
      return answers;
    }
    const body = head.rest.subarray(0, length);
    if (status >= 200) {
      answers.push({ status, headers: head.headers, body, isHead: body.length < length || isBodiless });
    }
    rest = head.rest.subarray(length);
  }
}

// Takes the caller's answer out of the envelope in which an invocation is answered.
function unwrap(answer) {
  const text = answer.body.toString();
  const inner = text.startsWith('{"Outputs":') ? JSON.parse(text).Outputs.res : undefined;
  if (inner === undefined) {
    return answer;
  }
  const headers = Object.entries(inner.headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    status: Number(inner.statusCode),
    headers: Object.fromEntries(headers),
    body: Buffer.from(inner.body ?? ""),
    isHead: answer.isHead,
  };
}

function judgeStream(where, record) {
  for (const answer of splitAnswers(Buffer.from(record.stream, "base64")).map(unwrap)) {
    if (answer.body.toString() === POLL_ANSWER) {
      apart["of the host's own pages and protocol"]++;
      continue;
    }
    judged++;
    const kinds = [document.shared, ...document.operations.map(({ responses }) => responses)];
    const fits = (responses) =>
      document.answerFaults(responses, answer, answer.isHead ? "HEAD" : "", record.server).length === 0;
    const faults = kinds.some(fits) ? [] : ["no operation describes such an answer"];
    note(`malformed ${answer.status}`, faults, where, null, answer);
  }
}

// A connection's requests may have been sent before the first was answered.
function judgeFile(file) {
  const unanswered = new Map();
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const record = JSON.parse(line);
    const where = file.replace(/^.*results\//, "");
    if (record.stream !== undefined) {
      judgeStream(where, record);
      continue;
    }
    const before = unanswered.get(record.connection) ?? Buffer.alloc(0);
    const sent = Buffer.concat([before, Buffer.from(record.request, "base64")]);
    const request = readRequest(sent);
    if (!record.connection.endsWith("-0")) {
      unanswered.set(record.connection, request?.rest ?? Buffer.alloc(0));
    }
    judge(where, record, request, readAnswer(Buffer.from(record.answer, "base64")));
  }
}

files.forEach(judgeFile);

// ---- the report ----

let failed = 0;
for (const [name, { count, faults, faultCount }] of [...checks].sort()) {
  console.log(`${faultCount > 0 ? "FAIL" : "ok  "}  ${name.padEnd(32)} ${count} answers`);
  if (faultCount > 0) {
    failed++;
    console.log(`      ${faultCount} do not fit docs/openapi.yaml:\n      ${faults.join("\n      ")}`);
  }
}
let total = checks.size;
for (const { id } of isAll ? document.operations : []) {
  total++;
  if (carriedOut.has(id) === NOT_TESTED.includes(id)) {
    failed++;
    console.log(carriedOut.has(id)
      ? `FAIL  ${id} is tested now: take it out of NOT_TESTED`
      : `FAIL  no end-to-end test has carried out ${id}`);
  }
}
if (judged === 0) {
  total++;
  failed++;
  console.log("FAIL  there are no answers");
}
for (const [what, count] of Object.entries(apart)) {
  console.log(`      ${count} answers ${what} are not the API's`);
}
console.log(`${judged} answers fit docs/openapi.yaml`.replace("fit", failed > 0 ? "held to" : "fit"));
console.log(`${Math.floor((100 * (total - failed)) / total)}%: Checks: ${total}, Failures: ${failed}, Errors: 0`);
process.exit(failed > 0 ? 1 : 0);
