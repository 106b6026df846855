/**
 * How many lines a campaign dials now.
 *
 * @module
 */

/** The state of a campaign whose calls go to people. */
export interface Floor {
  /** People who are free now. */
  readonly free: number;
  /** People who talk, or have just talked. */
  readonly busy: number;
  /** Lines that are being dialled or ring. */
  readonly ringing: number;
  /** The part of dials that a person answers, as measured lately; 0 to 1. */
  readonly answerRate: number;
  /** The mean time from a dial to its end or answer, and of a talk with what follows it. Seconds. */
  readonly ringSec: number;
  readonly talkSec: number;
  /** Answers by persons, and those whom nobody was free for, since the ratio is counted: 30 days, or the campaign. */
  readonly answered: number;
  readonly abandoned: number;
}

export type PeopleMode = "progressive" | "predictive";

/** The part of answers that may be abandoned; the rules' 3 % are never to be reached. */
const BOUND = 0.025;
/** What one decision aims at, below the bound, so that what is measured stays there. */
const AIM = 0.012;
/** With fewer people chance decides too much: each answer then has a person who is free. */
const LEAST_PEOPLE = 10;
/** A lower rate of answers than this is taken for this one, which bounds the lines. */
const LEAST_RATE = 0.01;
/** Before so many answers a ratio says nothing. */
const LEAST_ANSWERS = 50;

/**
 * How many lines to dial now, beside those that ring. Progressive: one for each person who is free. Predictive: the most for
 * which the answers that are expected to find nobody free stay within a bounded part of all answers; it never dials fewer than
 * progressive, and not more once the campaign's own ratio has come near the bound.
 *
 * Answers and people who become free in the time of a ring are taken as two binomials; the overflow of their difference is that
 * of a normal distribution of the same mean and variance.
 */
export function linesToDial(mode: PeopleMode, floor: Floor): number {
  const progressive = Math.max(0, floor.free - floor.ringing);
  const people = floor.free + floor.busy;
  if (mode === "progressive" || people < LEAST_PEOPLE || !(floor.answerRate > 0)) {
    return progressive;
  }
  const ratio = floor.abandoned / Math.max(floor.answered, LEAST_ANSWERS);
  if (ratio >= BOUND) return progressive;
  // The nearer to the bound, the less is risked.
  const aim = AIM * (1 - ratio / BOUND);
  const rate = Math.min(1, Math.max(floor.answerRate, LEAST_RATE));
  const release = 1 - Math.exp(-floor.ringSec / floor.talkSec);
  const mean = floor.free + floor.busy * release;
  const variance = floor.busy * release * (1 - release);
  const most = Math.ceil(2 * people / rate);
  let [low, high] = [Math.min(floor.free, most), most];
  while (low < high) {
    const lines = Math.ceil((low + high) / 2);
    const answers = lines * rate;
    const over = overflow(answers - mean, Math.sqrt(answers * (1 - rate) + variance));
    if (over <= aim * answers) low = lines;
    else high = lines - 1;
  }
  return Math.max(progressive, low - floor.ringing);
}

/** The mean of what a normally distributed value has above 0. */
function overflow(mean: number, deviation: number): number {
  if (deviation === 0) return Math.max(0, mean);
  const z = mean / deviation;
  return mean * below(z) + deviation * Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
}

/** The normal distribution. Source: Abramowitz and Stegun, 26.2.17; error below 7.5e-8. */
function below(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI) * t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}

/** Measured rates, in which what is old counts less. */
export class Measured {
  #value: number;
  readonly #weight: number;

  /** @param half After so many samples a sample counts half. */
  constructor(first: number, half = 200) {
    this.#value = first;
    this.#weight = 1 - 0.5 ** (1 / half);
  }

  add(sample: number): void {
    this.#value += (sample - this.#value) * this.#weight;
  }

  get value(): number {
    return this.#value;
  }
}
