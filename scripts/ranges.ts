/**
 * All of a file, or the one part that a `Range` asks for: a player cannot seek without parts.
 *
 * @param range The request's header.
 * @param headers Of the answer, `content-type` among them.
 */
export function ranged(
  bytes: Uint8Array<ArrayBuffer>,
  range: string | null,
  headers: Readonly<Record<string, string>>,
): Response {
  const all = { ...headers, "accept-ranges": "bytes" };
  const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(range ?? "") ?? [];
  if (from === "" && to === "") return new Response(bytes, { headers: all });
  const size = bytes.length;
  // `-500` is the last 500.
  const start = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (start > end) {
    return new Response(null, {
      status: 416,
      headers: { ...all, "content-range": `bytes */${size}` },
    });
  }
  return new Response(bytes.subarray(start, end + 1), {
    status: 206,
    headers: { ...all, "content-range": `bytes ${start}-${end}/${size}` },
  });
}
