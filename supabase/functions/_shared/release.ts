/**
 * Which deploy this code came with: an opaque name, which `deno task deploy` writes here in what it uploads, so that it
 * can tell by each function's answers whether they are the new version's.
 */
export const RELEASE: string = "none";
