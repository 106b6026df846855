import { assertEquals } from "@std/assert/equals.js";
import { startHotline } from "../support/hotline.ts";

const hotline = await startHotline({ env: { RECORDING_CONSENT: "opt_in" } });
Deno.test.afterAll(() => hotline.stop());

Deno.test("under opt_in a key, a choice or silence is no consent", async () => {
  for (
    const script of [{ keys: ["1"] }, { say: ["sales"] }, { keys: ["", "1"] }, {
      say: ["maybe record, I don't know"],
      keys: ["1"],
    }, { say: ["yes", "but don't record", "sales"] }]
  ) {
    const call = await hotline.ring({ ...script, dial: "answered" });
    assertEquals(call.row.consent_given ?? false, false, JSON.stringify(script));
    assertEquals(call.record.all("dial").map((dial) => dial.record), ["do-not-record"]);
  }
});

Deno.test("under opt_in a yes, spoken or pressed, records", async () => {
  for (
    const script of [{ say: ["yes"], keys: ["1"] }, { keys: ["3", "1"] }, {
      say: ["I agree, sales"],
    }]
  ) {
    const call = await hotline.ring({ ...script, dial: "answered" });
    assertEquals(call.row.consent_given, true, JSON.stringify(script));
    assertEquals(call.record.all("dial").map((dial) => dial.record), ["record-from-answer-dual"]);
  }
});
