import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { callerNumber, isE164, maskPhone } from "../../supabase/functions/_shared/phone.ts";

const WITHHELD = [
  "anonymous",
  "Anonymous",
  "unknown",
  "Restricted",
  "",
  "+266696687",
  "+86282452253",
  "+8656696",
  "+2562533",
  "+7378742833",
];

Deno.test("a number in international form is accepted", () => {
  for (const number of ["+15877428885", "+442071838750", "+12", "+123456789012345"]) {
    assertEquals(isE164(number), true, number);
  }
});

Deno.test("anything else is no number in international form", () => {
  for (
    const text of [
      "",
      "+",
      "+1",
      "15877428885",
      "+0123456789",
      "+1234567890123456",
      "+1 587 742 8885",
      "+1587742888a",
      "+15877428885\n",
      " +15877428885",
      "sip:+15877428885@example.com",
      "client:desk",
    ]
  ) {
    assertEquals(isE164(text), false, JSON.stringify(text));
  }
});

for (const from of [...WITHHELD, "client:desk", "sip:desk@example.com", undefined]) {
  Deno.test(`"${from}" identifies no caller`, () => {
    assertEquals(callerNumber(from), null);
  });
}

Deno.test("a caller's own number identifies the caller", () => {
  assertEquals(callerNumber("+14165550123"), "+14165550123");
});

Deno.test("a masked number shows where it is from, and its last two digits", () => {
  assertEquals(maskPhone("+15877428885"), "+1587***85");
});

Deno.test("every number of a text is masked, and the rest is left alone", () => {
  assertEquals(
    maskPhone("from +15877428885 to sip:+442071838750@example.com, 3 times"),
    "from +1587***85 to sip:+4420***50@example.com, 3 times",
  );
});

Deno.test("no number that could be dialled survives masking", () => {
  const number = fc.stringMatching(/^\+[1-9]\d{6,14}$/);
  fc.assert(fc.property(number, fc.string(), fc.string(), (phone, before, after) => {
    assertEquals(maskPhone(`${before} ${phone} ${after}`).includes(phone), false);
  }));
});
