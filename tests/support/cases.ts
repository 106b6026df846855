// What takes long is tried in full by `task test:deep`, which runs each file that imports this module, and in small by
// `task test`.

/** How the runner says which of the two it is. */
export const CASES_VARIABLE = "TRADELINE_TEST_CASES";

/** Whether all is tried. */
export const inFull = Deno.env.get(CASES_VARIABLE) === "all";

/** How many of so many cases are tried: in small a tenth, and five at least. */
export function cases(all: number): number {
  return inFull ? all : Math.min(all, Math.max(5, Math.ceil(all / 10)));
}

/** A test that `task test` does without. */
export function deepTest(
  name: string,
  fn: () => void | Promise<void>,
  options: { ignore?: boolean } = {},
): void {
  if (inFull) Deno.test({ name, fn, ...options });
}
