/**
 * When a contact whom a call did not reach is called again.
 *
 * @module
 */

/** How a dial ended that did not reach the person. `machine`: an answering machine, and no message was left. */
export type Unreached = "busy" | "no_answer" | "machine" | "failed" | "abandoned";

/** The rules of one campaign, as `campaigns.attempts` keeps them. */
export interface Attempts {
  /** Dials of a contact in all. */
  readonly max: number;
  /** Dials of a number in 24 hours and in 7 days, over all campaigns of an owner. */
  readonly per_day: number;
  readonly per_week: number;
  /** After each end: how long until the next dial, and how many dials may end so. */
  readonly after: Readonly<Record<Unreached, { readonly minutes: number; readonly most: number }>>;
}

/** What a request may say of them. */
export interface AttemptsAsked {
  readonly max?: number | undefined;
  readonly per_day?: number | undefined;
  readonly per_week?: number | undefined;
  readonly busy_minutes?: number | undefined;
  readonly no_answer_minutes?: number | undefined;
}

/** The rules, with the defaults for what the request leaves out. */
export function attemptsOf(asked: AttemptsAsked = {}): Attempts {
  return {
    max: asked.max ?? 3,
    per_day: asked.per_day ?? 1,
    per_week: asked.per_week ?? 3,
    after: {
      busy: { minutes: asked.busy_minutes ?? 15, most: 3 },
      // So that the next dial comes at another part of the day.
      no_answer: { minutes: asked.no_answer_minutes ?? 240, most: 3 },
      machine: { minutes: 24 * 60, most: 2 },
      failed: { minutes: 30, most: 2 },
      // Ofcom: no repeat for 72 hours without a person who is free.
      abandoned: { minutes: 72 * 60, most: 1 },
    },
  };
}

/**
 * When a contact is called again, hours and caps apart; undefined: never.
 *
 * @param ends How the contact's dials have ended, the last one last.
 */
export function nextTry(
  ends: readonly Unreached[],
  { max, after }: Attempts,
  at: Date,
): Date | undefined {
  const last = ends.at(-1);
  if (last === undefined) return at;
  const { minutes, most } = after[last];
  if (ends.length >= max || ends.filter((each) => each === last).length >= most) return undefined;
  return new Date(at.getTime() + minutes * 60_000);
}
