import { fuzzTalks } from "../support/agent_fuzz.ts";

Deno.test("10,000 talks of chance: no claim without a dial, no sentence twice, no wait without end", () => {
  fuzzTalks(10_000);
});
