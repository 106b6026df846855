/**
 * What a campaign will need, by a model of its calls: how long, how many people talk, how many answers find nobody. The
 * decisions are those of the dialler's own code: hours, pacing, retries.
 *
 * @module
 */
import { nextOpening, type Opening } from "../../supabase/functions/_shared/campaigns/hours.ts";
import {
  linesToDial,
  Measured,
  type PeopleMode,
} from "../../supabase/functions/_shared/campaigns/pacing.ts";
import {
  type Attempts,
  nextTry,
  type Unreached,
} from "../../supabase/functions/_shared/campaigns/retry.ts";
import { type Place, placeOf } from "../../supabase/functions/_shared/campaigns/zones.ts";

/** What is assumed of a campaign and of those who are called. Parts are from 0 to 1, times are seconds. */
export interface Model {
  readonly contacts: number;
  /** Broadcast: a flow serves each answer; else people do. */
  readonly mode: "broadcast" | PeopleMode;
  readonly people: number;
  readonly callsPerSecond: number;
  readonly maxConcurrent: number;
  readonly attempts: Attempts;
  /** Of all dials; the rest is not answered. */
  readonly answered: number;
  readonly machine: number;
  readonly busy: number;
  readonly failed: number;
  readonly ringSec: number;
  /** The mean of a talk, or of what a flow says and asks; exponentially distributed. */
  readonly talkSec: number;
  /** What a person does after a talk. */
  readonly wrapSec: number;
  readonly start: Date;
  readonly seed: number;
}

export interface Result {
  /** From the start to the end of the last call. */
  readonly elapsedSec: number;
  /** Seconds in which calls could be made, or were. */
  readonly dialledSec: number;
  readonly dials: number;
  readonly reached: number;
  readonly machines: number;
  readonly abandoned: number;
  /** Of answers by persons. */
  readonly abandonedPart: number;
  /** The part of the dialled time that people talk or finish a talk. */
  readonly busyPart: number;
  readonly peakConcurrent: number;
  /** The mean while calls could be made. */
  readonly callsPerSecond: number;
}

/** Area codes with the share of people in each of the zones of the mainland. Source: 2020 census, by time zone. */
const SHARES = [["+1212", 0.48], ["+1312", 0.29], ["+1303", 0.07], ["+1213", 0.16]] as const;

/** For whom nobody is free, somebody may become so within this long. Seconds. */
const PATIENCE_SEC = 2;
const DAY_SEC = 86_400;
/** An end of the model, whatever is left. */
const MOST_DAYS = 400;

/** @returns figures that depend on the model and its seed alone. */
export function simulate(model: Model): Result {
  const random = generator(model.seed);
  const areas = areasOf(model.contacts);
  const tries = new Map<number, { at: number; end: Unreached }[]>();
  const events = new Heap<() => void>();
  const start = model.start.getTime();
  const figures = {
    dials: 0,
    reached: 0,
    machines: 0,
    abandoned: 0,
    busySec: 0,
    dialledSec: 0,
    peak: 0,
  };
  const answerRate = new Measured(model.answered);
  /** Those who heard a voice and wait for a person, with the second at which they hang up. */
  const holding: { readonly until: number; left: boolean }[] = [];
  let [time, open, ringing, free, last] = [0, 0, 0, model.people, 0];

  const mean = (seconds: number) => -Math.log(1 - random()) * seconds;
  const put = (area: Area, contact: number, at: number, end: Unreached) => {
    const past = [...tries.get(contact) ?? [], { at, end }];
    tries.set(contact, past);
    const due = nextTry(
      past.map((each) => each.end),
      model.attempts,
      new Date(start + time * 1000),
    );
    if (due === undefined) return;
    area.again.push(
      Math.max((due.getTime() - start) / 1000, allowedAt(past, model.attempts)),
      contact,
    );
  };
  const talk = () => {
    figures.reached++;
    if (model.mode !== "broadcast") free--;
    const seconds = mean(model.talkSec);
    events.push(time + seconds, () => {
      open--;
      if (model.mode !== "broadcast") events.push(time + model.wrapSec, () => release());
    });
    if (model.mode !== "broadcast") figures.busySec += seconds + model.wrapSec;
  };
  const release = () => {
    free++;
    const next = holding.find((each) => !each.left);
    if (next === undefined) return;
    next.left = true;
    talk();
  };
  const dial = (area: Area, contact: number) => {
    figures.dials++;
    open++;
    ringing++;
    const at = time;
    const by = random();
    const ended = (seconds: number, then: () => void) =>
      events.push(time + seconds, () => {
        ringing--;
        then();
      });
    const over = (end: Unreached) => () => {
      open--;
      put(area, contact, at, end);
    };
    const { answered, machine, busy, failed, ringSec } = model;
    answerRate.add(by < answered ? 1 : 0);
    if (by < answered) {
      ended(ringSec * (0.2 + 0.6 * random()), () => {
        if (model.mode === "broadcast" || free > 0) return talk();
        const caller = { until: time + PATIENCE_SEC, left: false };
        holding.push(caller);
        events.push(caller.until, () => {
          holding.splice(holding.indexOf(caller), 1);
          if (caller.left) return;
          caller.left = true;
          figures.abandoned++;
          over("abandoned")();
        });
      });
    } else if (by < answered + machine) {
      figures.machines++;
      ended(ringSec * 0.9 + 4, over("machine"));
    } else if (by < answered + machine + busy) ended(3, over("busy"));
    else if (by < answered + machine + busy + failed) ended(1, over("failed"));
    else ended(ringSec, over("no_answer"));
  };

  const lines = (): number => {
    if (model.mode === "broadcast") return Infinity;
    return linesToDial(model.mode, {
      free,
      busy: model.people - free,
      ringing,
      answerRate: answerRate.value,
      ringSec: model.ringSec,
      talkSec: model.talkSec + model.wrapSec,
      answered: figures.reached + figures.abandoned,
      abandoned: figures.abandoned,
    });
  };

  /** Dials that the rate has left: fractions are kept, seconds that were not used are not. */
  let room = 0;
  while (time < MOST_DAYS * DAY_SEC) {
    for (let next = events.first; next !== undefined && next <= time; next = events.first) {
      const now = time;
      time = next;
      events.pop()!();
      time = now;
    }
    const now = new Date(start + time * 1000);
    for (const area of areas) {
      if (area.opening === undefined || area.opening.until <= now) {
        area.opening = nextOpening(area.place, now);
      }
    }
    const allowed = areas.filter((area) =>
      area.opening !== undefined && area.opening.from <= now && ready(area, time)
    );
    if (allowed.length > 0) {
      room = Math.min(room, 1) + model.callsPerSecond;
      allowed.sort((a, b) => a.opening!.until.getTime() - b.opening!.until.getTime());
      for (
        let count = Math.min(Math.floor(room), model.maxConcurrent - open, lines());
        count > 0;
        count--
      ) {
        const area = allowed.find((each) => ready(each, time));
        if (area === undefined) break;
        room--;
        dial(area, take(area, time)!);
      }
    }
    if (allowed.length > 0 || open > 0) {
      figures.dialledSec++;
      last = time;
    }
    figures.peak = Math.max(figures.peak, open);
    time++;
    if (open === 0 && allowed.length === 0) {
      const next = Math.min(...areas.map((area) => wakes(area, start)), events.first ?? Infinity);
      if (next === Infinity) break;
      time = Math.max(time, Math.ceil(next));
    }
  }
  const answers = figures.reached + figures.abandoned;
  return {
    elapsedSec: last,
    dialledSec: figures.dialledSec,
    dials: figures.dials,
    reached: figures.reached,
    machines: figures.machines,
    abandoned: figures.abandoned,
    abandonedPart: answers === 0 ? 0 : figures.abandoned / answers,
    busyPart: model.people === 0 ? 0 : figures.busySec / (model.people * figures.dialledSec),
    peakConcurrent: figures.peak,
    callsPerSecond: figures.dials / Math.max(1, figures.dialledSec),
  };
}

interface Area {
  readonly place: Place;
  /** The contacts that were never dialled: from `next` to before `end`. */
  next: number;
  readonly end: number;
  /** Those to be dialled again, by the second at which they are due. */
  readonly again: Heap<number>;
  opening: Opening | undefined;
}

function areasOf(contacts: number): Area[] {
  let from = 0;
  return SHARES.map(([prefix, share], nth) => {
    const end = nth === SHARES.length - 1 ? contacts : Math.round(from + contacts * share);
    const area = {
      place: placeOf(`${prefix}2255010`)!,
      next: from,
      end,
      again: new Heap<number>(),
      opening: undefined,
    };
    from = end;
    return area;
  });
}

const ready = ({ next, end, again }: Area, time: number) =>
  next < end || (again.first ?? Infinity) <= time;

function take(area: Area, time: number): number | undefined {
  return (area.again.first ?? Infinity) <= time ? area.again.pop() : area.next++;
}

/** The second at which an area can be dialled next. */
function wakes({ opening, next, end, again }: Area, start: number): number {
  const due = next < end ? 0 : again.first;
  if (opening === undefined || due === undefined) return Infinity;
  return Math.max(due, (opening.from.getTime() - start) / 1000);
}

/** When the caps of a day and of a week allow the next dial. */
function allowedAt(past: readonly { at: number }[], { per_day, per_week }: Attempts): number {
  const after = (most: number, days: number) => (past.at(-most)?.at ?? -Infinity) + days * DAY_SEC;
  return Math.max(after(per_day, 1), after(per_week, 7));
}

/** Numbers from 0 to below 1, the same for the same seed. Source: mulberry32, public domain. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values by their time, the earliest first. */
class Heap<Value> {
  readonly #times: number[] = [];
  readonly #values: Value[] = [];

  get first(): number | undefined {
    return this.#times[0];
  }

  push(time: number, value: Value): void {
    let at = this.#times.push(time) - 1;
    this.#values.push(value);
    for (let above; at > 0 && this.#times[above = (at - 1) >> 1]! > time; at = above) {
      this.#swap(at, above);
    }
  }

  pop(): Value | undefined {
    const [first] = this.#values;
    const [time, value] = [this.#times.pop(), this.#values.pop()];
    if (this.#times.length === 0) return first;
    this.#times[0] = time!;
    this.#values[0] = value!;
    for (let at = 0;;) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) {
        if (this.#times[below]! < this.#times[least]!) least = below;
      }
      if (least === at) return first;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(a: number, b: number): void {
    [this.#times[a], this.#times[b]] = [this.#times[b]!, this.#times[a]!];
    [this.#values[a], this.#values[b]] = [this.#values[b]!, this.#values[a]!];
  }
}
