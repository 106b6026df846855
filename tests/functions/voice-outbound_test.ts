import { assertEquals } from "@std/assert/equals.js";
import { type Callee, personAt } from "../../scripts/phone/mod.ts";
import { type Calling, type CampaignChanges, startCalling } from "../support/calling.ts";

const PHONE = "+15875552000";
const OPENING = "This is a call from Prairie Dental. To be removed from our list, press 9.";

/** One call of a campaign to a telephone that is answered so. */
function test(
  name: string,
  callee: Callee,
  changes: CampaignChanges,
  body: (calling: Calling, id: string, heard: () => readonly string[]) => Promise<void>,
) {
  Deno.test(`voice-outbound: ${name}`, async () => {
    const calling = await startCalling({
      simulator: { telephones: () => personAt({ presses: "", ...callee }) },
    });
    const spoken: string[] = [];
    try {
      const id = await calling.campaign([PHONE], changes);
      const records = calling.simulator.exchange.calls;
      let record: { readonly spoken: readonly string[] } | undefined;
      const watch = setInterval(() => {
        record ??= records.values().next().value?.record;
      }, 1);
      await calling.dial();
      await calling.simulator.settle();
      clearInterval(watch);
      await body(calling, id, () => record?.spoken ?? spoken);
    } finally {
      for (const call of calling.simulator.exchange.calls.values()) call.hangUp("app");
      await calling.stop();
    }
  });
}

test(
  "a person hears who calls and how to stop before the flow",
  {},
  {},
  async (calling, id, heard) => {
    assertEquals(heard(), [OPENING, "Your appointment is tomorrow.", "Goodbye."]);
    assertEquals(await calling.live(id), { contacts: 1, dialled: 1, answered: 1 });
  },
);
