/**
 * A program: what GitHub's own editor support finds wrong with workflows, told as JSON, `[{file, line, message}]`.
 * Its arguments are the files. It is bundled first, as its package imports JSON as only bundlers do.
 *
 * @module
 */
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

const faults: { file: string; line: number; message: string }[] = [];
for (const file of Deno.args) {
  const document = TextDocument.create(`file://${file}`, "yaml", 1, Deno.readTextFileSync(file));
  // deno-lint-ignore no-await-in-loop -- A handful.
  for (const { range, message } of await validate(document, {})) {
    const text = typeof message === "string" ? message : message.value;
    faults.push({ file, line: range.start.line + 1, message: text });
  }
}
console.log(JSON.stringify(faults));
