// AES-256-GCM over a stream of any length: chunks of a bounded size, each with its own nonce, the last one marked, and
// all bound to the file's name, which contains its time. A changed, moved, repeated or missing chunk does not open, and
// neither does an old file under a new name.
//
// Layout: a magic word, the length of the name (1 byte), the name, the nonces' prefix, the chunks.

import { concat } from "@std/bytes/concat.js";

/** Begins every sealed file. */
export const MAGIC = new TextEncoder().encode("TLSEAL2\n");
const CHUNK = 64 * 1024;
const TAG = 16;
const PREFIX = 8;

/** The key does not open the file, or the file is incomplete. */
export class SealError extends Error {
  override name = "SealError";
}

/** @param key 32 bytes in base64, as `openssl rand -base64 32` makes them. */
export async function importKey(key: string): Promise<CryptoKey> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.from(atob(key.trim()), (character) => character.charCodeAt(0));
  } catch {
    bytes = new Uint8Array();
  }
  if (bytes.length !== 32) {
    throw new SealError("BACKUP_KEY must be 32 bytes in base64: openssl rand -base64 32 makes one");
  }
  return await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/**
 * Encrypts a stream.
 *
 * @param name The file's name, at most 255 bytes. The file opens under this name only.
 */
export function seal(
  key: CryptoKey,
  name: string,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  const prefix = crypto.getRandomValues(new Uint8Array(PREFIX));
  const bound = new TextEncoder().encode(name);
  let counter = 0;
  return rechunked(CHUNK, {
    start: (out) => out.enqueue(concat([MAGIC, Uint8Array.of(bound.length), bound, prefix])),
    async chunk(chunk, last) {
      const by = parameters(prefix, counter++, last, bound);
      return new Uint8Array(await crypto.subtle.encrypt(by, key, chunk));
    },
  });
}

/** Decrypts a stream that was encrypted under this name, `MAGIC` included. Errors with `SealError`. */
export function unseal(
  key: CryptoKey,
  name: string,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  const bound = new TextEncoder().encode(name);
  let prefix: Uint8Array<ArrayBuffer> | undefined;
  let counter = 0;
  let pending: Uint8Array<ArrayBuffer> = new Uint8Array();
  const inner = rechunked(CHUNK + TAG, {
    async chunk(chunk, last) {
      try {
        return new Uint8Array(
          await crypto.subtle.decrypt(parameters(prefix!, counter++, last, bound), key, chunk),
        );
      } catch {
        throw new SealError(
          "The backup does not open: another BACKUP_KEY made it, or it was changed or cut off",
        );
      }
    },
  });
  const strip = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, out) {
      if (prefix !== undefined) return out.enqueue(chunk);
      pending = concat([pending, chunk]);
      const named = MAGIC.length + 1 + (pending[MAGIC.length] ?? 0);
      const head = named + PREFIX;
      if (pending.length < head) return;
      const made = new TextDecoder().decode(pending.subarray(MAGIC.length + 1, named));
      if (made !== name) {
        throw new SealError(
          `${name} was made as ${made}: rename it to that if you want the backup of that time`,
        );
      }
      prefix = pending.slice(named, head);
      if (pending.length > head) out.enqueue(pending.slice(head));
    },
    flush() {
      if (prefix === undefined) throw new SealError("The backup is cut off");
    },
  });
  return { writable: strip.writable, readable: strip.readable.pipeThrough(inner) };
}

function parameters(
  prefix: Uint8Array<ArrayBuffer>,
  counter: number,
  last: boolean,
  bound: Uint8Array<ArrayBuffer>,
) {
  const iv = new Uint8Array(PREFIX + 4);
  iv.set(prefix);
  new DataView(iv.buffer).setUint32(PREFIX, counter);
  return { name: "AES-GCM", iv, additionalData: concat([Uint8Array.of(last ? 1 : 0), bound]) };
}

interface Rechunk {
  start?(out: TransformStreamDefaultController<Uint8Array<ArrayBuffer>>): void;
  chunk(chunk: Uint8Array<ArrayBuffer>, last: boolean): Promise<Uint8Array<ArrayBuffer>>;
}

/** Cuts a stream into chunks of one size, and marks the last one. */
function rechunked(
  size: number,
  { start, chunk }: Rechunk,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  let rest: Uint8Array<ArrayBuffer> = new Uint8Array();
  return new TransformStream({
    start,
    async transform(more, out) {
      rest = concat([rest, more]);
      // With one byte more than a chunk it is certain that this chunk is not the last.
      while (rest.length > size) {
        // deno-lint-ignore no-await-in-loop -- In order.
        out.enqueue(await chunk(rest.slice(0, size), false));
        rest = rest.slice(size);
      }
    },
    async flush(out) {
      out.enqueue(await chunk(rest, true));
    },
  });
}
