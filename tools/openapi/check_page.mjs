// Holds docs/api.md and docs/openapi.yaml to each other: every route, and every status with its
// error codes, stands in both.
//
//   node tools/openapi/check_page.mjs
//
// In the page, the routes are the first table. The errors are the table under "Errors", where a row
// without a status goes on with the one above, and "413, 415" with as many codes are pairs. Each
// function's own statuses are the first table under its heading, to which the table of routes links.
import { readFileSync } from "node:fs";
import { parse } from "yaml";

const document = parse(readFileSync("docs/openapi.yaml", "utf8"));
const lines = readFileSync("docs/api.md", "utf8").split("\n");
let failed = 0;

function resolve(value) {
  if (!value.$ref) {
    return value;
  }
  const target = value.$ref.slice(2).split("/").reduce((at, part) => at[part], document);
  return { ...resolve(target), ...value, $ref: undefined };
}

// ---- the document ----

// The error codes that a schema allows at error.code, besides those of ErrorCode itself.
function codesOf(schema) {
  const code = schema?.properties?.error?.properties?.code;
  const own = code?.const ? [code.const] : (code?.enum ?? []);
  const parts = schema?.oneOf ?? [];
  return [...own, ...parts.flatMap((part) => codesOf(part.properties ? part : resolve(part)))];
}

const documentRoutes = new Set();
const documentPairs = new Set(); // "400 InvalidJson"
const operations = new Map(); // "POST /api/..." -> its statuses, and its pairs
for (const [path, item] of Object.entries(document.paths)) {
  for (const method of ["get", "post"].filter((name) => item[name])) {
    const route = `${method.toUpperCase()} /api${path}`;
    documentRoutes.add(route);
    operations.set(route, new Set(Object.keys(item[method].responses)));
    for (const [status, reference] of Object.entries(item[method].responses)) {
      const response = resolve(reference);
      const codes = codesOf(response.content?.["application/json"]?.schema);
      const statuses = response["x-statuses"];
      codes.forEach((code, i) => {
        const pair = `${statuses ? statuses[i] : status} ${code}`;
        documentPairs.add(pair);
        operations.get(route).add(pair);
      });
      if (statuses && statuses.length !== codes.length) {
        complain(`docs/openapi.yaml: ${route}: x-statuses and its codes differ in number`);
      }
    }
  }
}
const documentCodes = new Set([...documentPairs].map((pair) => pair.split(" ")[1]));
compare("the enum ErrorCode", new Set(document.components.schemas.ErrorCode.enum), "its responses", documentCodes, "error code");

// ---- the page ----

function rowsUnder(heading) {
  const begin = heading === null ? 0 : lines.findIndex((line) => line === heading);
  if (begin < 0) {
    complain(`docs/api.md has no heading "${heading}"`);
    return [];
  }
  const rest = lines.slice(begin + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line) && heading !== null);
  const section = end < 0 ? rest : rest.slice(0, end);
  const first = section.findIndex((line) => line.startsWith("|"));
  const table = first < 0 ? [] : section.slice(first);
  const last = table.findIndex((line) => !line.startsWith("|"));
  return table.slice(2, last < 0 ? undefined : last).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

const headings = new Map(); // route -> anchor
for (const [call] of rowsUnder(null)) {
  const [, route, anchor] = /^\[`([^`]+)`\]\(#([^)]+)\)$/.exec(call) ?? [];
  if (!route) {
    complain(`docs/api.md: a row of the first table is no link to a heading: ${call}`);
  } else {
    headings.set(route, anchor);
  }
}
compare("docs/api.md", new Set(headings.keys()), "docs/openapi.yaml", documentRoutes, "route");

const pagePairs = new Set();
const commonStatuses = new Set();
let above = "";
for (const [cell, codeCell] of rowsUnder("## Errors")) {
  above = cell || above;
  const statuses = above.split(", ");
  const codes = [...codeCell.matchAll(/`(\w+)`/g)].map((found) => found[1]);
  codes.forEach((code, i) => pagePairs.add(`${statuses.length > 1 ? statuses[i] : statuses[0]} ${code}`));
  statuses.forEach((status) => commonStatuses.add(status));
}
compare("docs/api.md", pagePairs, "docs/openapi.yaml", documentPairs, "status and error code");

// A function's own table and the table of errors together have each status of the operation. What
// the own table says, with or without a code, is so in the document.
for (const [route, anchor] of headings) {
  const heading = lines.find((line) => /^## /.test(line) && line.slice(3).toLowerCase().replace(/ /g, "-") === anchor);
  const cells = rowsUnder(heading).map(([cell]) => cell);
  const own = new Set(cells.map((cell) => cell.slice(0, 3)));
  cells.forEach((cell) => cell.includes("`Retry-After") || own.add(cell.replace(/`/g, "")));
  const described = operations.get(route) ?? new Set();
  for (const status of own) {
    if (!described.has(status)) {
      complain(`docs/api.md has ${status} for ${route}, docs/openapi.yaml has not`);
    }
  }
  for (const status of described) {
    if (/^\d{3}$/.test(status) && !own.has(status) && !commonStatuses.has(status)) {
      complain(`docs/openapi.yaml has ${status} for ${route}, docs/api.md has not`);
    }
  }
}

function compare(oneName, one, otherName, other, what) {
  for (const item of one) {
    if (!other.has(item)) complain(`${what} "${item}" is in ${oneName}, and not in ${otherName}`);
  }
  for (const item of other) {
    if (!one.has(item)) complain(`${what} "${item}" is in ${otherName}, and not in ${oneName}`);
  }
}

function complain(text) {
  console.error(`docs: ${text}`);
  failed++;
}

console.log(`  compare  docs/api.md, docs/openapi.yaml: ${documentRoutes.size} routes, ${documentPairs.size} error codes`);
process.exit(failed > 0 ? 1 : 0);
