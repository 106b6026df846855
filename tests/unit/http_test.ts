import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { HttpError } from "../../supabase/functions/_shared/errors.ts";
import { readForm, readJson } from "../../supabase/functions/_shared/http.ts";

// Bodies as networks give them.

const MOST = 65_536;
const bytesOf = (text: string) => new TextEncoder().encode(text);

function posted(pieces: Uint8Array[], type: string, length?: number): Request {
  return new Request("http://localhost/", {
    method: "POST",
    headers: { "content-type": type, ...length && { "content-length": String(length) } },
    body: ReadableStream.from(pieces),
  });
}
const form = (pieces: Uint8Array[], length?: number) =>
  readForm(posted(pieces, "application/x-www-form-urlencoded", length));

Deno.test("a character that comes in two pieces is read as one", async () => {
  const words = "Ça va, Zoë? 我們 🎉";
  const [asForm, asJson] = [bytesOf(`Body=${words}`), bytesOf(JSON.stringify(words))];
  for (let at = 1; at < asForm.length; at++) {
    assertEquals(await form([asForm.slice(0, at), asForm.slice(at)]), { Body: words }, `at ${at}`);
  }
  for (let at = 1; at < asJson.length; at++) {
    const pieces = [asJson.slice(0, at), asJson.slice(at)];
    assertEquals(await readJson(posted(pieces, "application/json")), words, `at ${at}`);
  }
});

for (const says of [true, false]) {
  Deno.test(`a body of exactly 64 KiB is read, and one byte more is not, ${says ? "saying so" : "without saying so"}`, async () => {
    const sized = (size: number) => {
      const bytes = bytesOf("a=".padEnd(size, "x"));
      return form([bytes], says ? size : undefined);
    };
    assertEquals((await sized(MOST)).a!.length, MOST - 2);
    const error = await assertRejects(() => sized(MOST + 1), HttpError);
    assertEquals(error.status, 413);
  });
}
