// Parses every Mermaid diagram of the Markdown files that are given, as GitHub does when it draws them.
//
//   node tools/diagrams/check.mjs PAGE...
//
// Prints each diagram that cannot be drawn, with its page and line, and then exits with 1.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

// Mermaid asks for a browser as soon as it is loaded.
const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");

let count = 0;
let failed = 0;
for (const page of process.argv.slice(2)) {
  const lines = readFileSync(page, "utf8").split("\n");
  for (let begin = lines.indexOf("```mermaid"); begin >= 0; ) {
    const end = lines.indexOf("```", begin);
    count++;
    try {
      await mermaid.parse(lines.slice(begin + 1, end).join("\n"));
    } catch (error) {
      failed++;
      console.error(`docs: ${page}:${begin + 1}: a diagram cannot be drawn: ${error.message}`);
    }
    begin = lines.indexOf("```mermaid", end);
  }
}
console.log(`  parse    ${count} diagrams`);
process.exit(failed > 0 || count === 0 ? 1 : 0);
