// Reads docs/openapi.yaml and judges single answers by it.
//
// Vocabulary   operation   one method of one path of the document
//              answer      {status, headers, body}; names of headers in lower case, a body as bytes
import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

// Operations that no end-to-end test carries out yet. Take one out as soon as a test does.
export const NOT_TESTED = [];

export class Document {
  constructor(file) {
    this.root = parse(readFileSync(file, "utf8"));
    // Each member of the document is an unknown keyword to ajv, so only `strictTypes` and the like
    // of single schemas would be left to check. The linter does that.
    this.ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
    addFormats(this.ajv);
    this.ajv.addSchema({ $id: "openapi", ...this.root });
    this.compiled = new Map();
    this.operations = [];
    for (const [path, item] of Object.entries(this.root.paths)) {
      for (const method of METHODS.filter((name) => item[name])) {
        this.operations.push(this.#operation(path, method));
      }
    }
    this.headerNames = new Set();
    for (const operation of this.operations) {
      for (const response of Object.values(operation.responses)) {
        Object.keys(response.headers).forEach((name) => this.headerNames.add(name));
      }
    }
    this.shared = this.#shared();
  }

  #operation(path, method) {
    const at = `#/paths/${escape(path)}`;
    const { value: item } = this.#resolve(at);
    const parameters = [
      ...(item.parameters ?? []).map((_, i) => `${at}/parameters/${i}`),
      ...(item[method].parameters ?? []).map((_, i) => `${at}/${method}/parameters/${i}`),
    ].map((pointer) => this.#parameter(pointer));
    const responses = {};
    for (const status of Object.keys(item[method].responses)) {
      responses[status] = this.#response(`${at}/${method}/responses/${status}`);
    }
    const body = item[method].requestBody;
    return {
      id: item[method].operationId,
      method: method.toUpperCase(),
      path,
      segments: path.split("/").slice(1),
      parameters,
      responses,
      requestBody: body && {
        required: body.required === true,
        schema: `${at}/${method}/requestBody/content/application~1json/schema`,
      },
    };
  }

  // A request that is none of an operation's may get these answers: no function has its path or its
  // method, or it could not be read.
  #shared() {
    const named = (name) => this.#response(`#/components/responses/${name}`);
    return {
      400: named("BadRequest"),
      404: named("NotFound"),
      405: named("MethodNotAllowed"),
      413: named("PayloadTooLarge"),
      500: named("InternalError"),
      503: named("Unavailable"),
      default: named("Unreadable"),
    };
  }

  // Follows references. The pointer that comes back leads to the value itself.
  #resolve(pointer) {
    let value = this.root;
    for (const part of pointer.slice(2).split("/")) {
      value = value[part.replace(/~1/g, "/").replace(/~0/g, "~")];
      if (value === undefined) {
        throw new Error(`docs/openapi.yaml has no ${pointer}`);
      }
    }
    return value.$ref ? this.#resolve(value.$ref) : { value, pointer };
  }

  #parameter(pointer) {
    const { value, pointer: target } = this.#resolve(pointer);
    const name = value.in === "header" ? value.name.toLowerCase() : value.name;
    return { name, in: value.in, required: value.required === true, schema: `${target}/schema` };
  }

  #response(pointer) {
    const { value, pointer: target } = this.#resolve(pointer);
    const headers = {};
    for (const name of Object.keys(value.headers ?? {})) {
      const header = this.#resolve(`${target}/headers/${name}`);
      headers[name.toLowerCase()] = {
        required: header.value.required === true,
        schema: `${header.pointer}/schema`,
      };
    }
    return {
      headers,
      statuses: value["x-statuses"],
      mayBeEmpty: value["x-empty-from-host"] === true,
      schema: value.content && `${target}/content/application~1json/schema`,
    };
  }

  // Returns what is wrong with the value by the schema at the pointer: "" if nothing is.
  faults(pointer, value) {
    if (!this.compiled.has(pointer)) {
      const fragment = pointer.split("/").map(encodeURIComponent).join("/").replace(/^%23/, "#");
      this.compiled.set(pointer, this.ajv.compile({ $ref: `openapi${fragment}` }));
    }
    const validate = this.compiled.get(pointer);
    return validate(value) ? "" : this.ajv.errorsText(validate.errors, { dataVar: "body" });
  }

  // Finds the operation for a method and a path without the server's prefix, as the host does:
  // letters in any case, one slash at the end ignored. Returns {operation, params, isPath}; isPath
  // means that there is such a path, for this or another method.
  find(method, path) {
    const segments = path.replace(/\/$/, "").split("/").slice(1);
    let isPath = false;
    for (const operation of this.operations) {
      const params = match(operation.segments, segments);
      if (params && operation.method === method) {
        return { operation, params, isPath: true };
      }
      isPath = isPath || params !== null;
    }
    return { isPath };
  }

  // Returns what is wrong with an answer, as a list of texts. `responses` are an operation's, or
  // `shared`. `server` is "host" or "handler", whose answers have a body in any case.
  answerFaults(responses, answer, method, server) {
    const listed = responses[answer.status];
    const response = listed ?? responses.default;
    if (!listed && !response.statuses.includes(answer.status)) {
      return [`no status ${answer.status}`];
    }
    const isEmpty = answer.body.length === 0;
    const isFromHost = isEmpty && server === "host" && !("x-ms-request-id" in answer.headers);
    if (isFromHost && response.mayBeEmpty) {
      return [];
    }
    const faults = this.#headerFaults(response, answer);
    if (!response.schema) {
      return isEmpty ? faults : [...faults, "a body where there is none"];
    }
    return method === "HEAD" ? faults : [...faults, ...this.#bodyFaults(response, answer)];
  }

  #headerFaults(response, answer) {
    const faults = [];
    for (const [name, { required, schema }] of Object.entries(response.headers)) {
      const value = answer.headers[name];
      const wrong = value === undefined ? required && "is missing" : this.faults(schema, value);
      if (wrong) {
        faults.push(`header ${name}: ${value ?? ""} ${wrong}`);
      }
    }
    for (const name of this.headerNames) {
      if (name in answer.headers && !response.headers[name]) {
        faults.push(`header ${name} is not described for this status`);
      }
    }
    return faults;
  }

  #bodyFaults(response, answer) {
    if (!/^application\/json\b/.test(answer.headers["content-type"] ?? "")) {
      return [`content type ${answer.headers["content-type"]}`];
    }
    const value = readJson(answer.body);
    if (value === undefined) {
      return ["the body is not JSON"];
    }
    const wrong = this.faults(response.schema, value);
    // The one rule that the document can say in words alone.
    const lacksTag = value?.productId !== undefined && answer.headers.etag === undefined;
    return [...(wrong ? [wrong] : []), ...(lacksTag ? ["an answer about a product, without ETag"] : [])];
  }

  // Returns what is wrong with a request that was carried out, as a list of texts.
  requestFaults(operation, params, request) {
    const faults = [];
    const query = new URLSearchParams(request.query);
    for (const parameter of operation.parameters) {
      const value =
        parameter.in === "path" ? params[parameter.name]
        : parameter.in === "query" ? query.get(parameter.name)
        : request.headers[parameter.name];
      const wrong =
        value === null || value === undefined ? parameter.required && "is missing"
        : this.faults(parameter.schema, value);
      if (wrong) {
        faults.push(`${parameter.in} ${parameter.name}: ${value} ${wrong}`);
      }
    }
    return [...faults, ...this.#requestBodyFaults(operation.requestBody, request.body)];
  }

  #requestBodyFaults(described, body) {
    if (!described || (body.length === 0 && !described.required)) {
      return []; // what the app does not read may be anything
    }
    const value = readJson(body);
    if (value === undefined) {
      return ["the request's body is not JSON"];
    }
    const wrong = this.faults(described.schema, this.#asTheAppReads(described.schema, value));
    return wrong ? [`request: ${wrong}`] : [];
  }

  // Names match in any case, and the document has one of them. An optional member that is null
  // counts as absent.
  #asTheAppReads(schema, value) {
    const { properties = {}, required = [] } = this.#resolve(schema).value;
    const known = Object.keys(properties);
    const nameOf = (name) => known.find((at) => at.toLowerCase() === name.toLowerCase()) ?? name;
    const members = Object.entries(value).map(([name, item]) => [nameOf(name), item]);
    return Object.fromEntries(members.filter(([name, item]) => item !== null || required.includes(name)));
  }
}

function escape(part) {
  return part.replace(/~/g, "~0").replace(/\//g, "~1");
}

function match(template, segments) {
  if (template.length !== segments.length) {
    return null;
  }
  const params = {};
  for (const [i, part] of template.entries()) {
    const name = /^\{(.*)\}$/.exec(part)?.[1];
    if (name && segments[i] !== "") {
      params[name] = decode(segments[i]);
    } else if (part.toLowerCase() !== segments[i].toLowerCase()) {
      return null;
    }
  }
  return params;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// A byte order mark is skipped. Returns undefined for what is not JSON in UTF-8.
function readJson(bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
