import { createHash } from "node:crypto";
import { isObject } from "./language.ts";

// What identifies a document. Pure.

/** JSON without spaces, the names of each object in order: equal for equal documents, whatever the order in them. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) =>
    `${JSON.stringify(name)}:${canonicalJson(value[name])}`
  );
  return `{${members.join(",")}}`;
}

/** SHA-256 of the canonical JSON, in hexadecimal: what a published version is known by. */
export function hashOf(definition: unknown): string {
  return createHash("sha256").update(canonicalJson(definition)).digest("hex");
}
