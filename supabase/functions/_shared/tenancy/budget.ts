/** Whether one more use is allowed now; counts it if so. */
export type Budget = () => boolean;

/** At most `most` in any window of `perMs` that begins with a use. */
export function budget(most: number, perMs: number, now: () => number): Budget {
  let began = -Infinity;
  let used = 0;
  return () => {
    if (now() - began >= perMs) {
      began = now();
      used = 0;
    }
    if (used >= most) return false;
    used++;
    return true;
  };
}

/** Asks at most once in `ms`, and shares the answer. A failure is kept for as long. */
export function atMostEvery<T>(ms: number, now: () => number, ask: () => Promise<T>) {
  let askedAt = -Infinity;
  let answer: Promise<T> | undefined;
  return (): Promise<T> => {
    if (answer === undefined || now() - askedAt >= ms) {
      askedAt = now();
      answer = ask();
    }
    return answer;
  };
}
