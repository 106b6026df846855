/**
 * The release of this code: an opaque name that `deno task deploy` writes into the uploaded file. Each answer carries it,
 * so the deploy can see which version answered.
 */
export const RELEASE: string = "none";
