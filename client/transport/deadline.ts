/** A signal that an outer one or the end of some time aborts. `AbortSignal.any` would do, were it not for its leaks on Node 20. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether time ran out. */
  readonly isOver: boolean;
  /** Forgets the time and the outer signal. */
  end(): void;
}

/** Milliseconds: timers take no more, and end at once instead. */
const LONGEST = 2 ** 31 - 1;

/** @param milliseconds until it aborts; never without. */
export function startDeadline(milliseconds: number | undefined, outer: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let isOver = false;
  const timer =
    milliseconds === undefined
      ? undefined
      : setTimeout(
          () => {
            isOver = true;
            controller.abort(new Error(`No answer came within ${milliseconds} ms.`));
          },
          Math.min(milliseconds, LONGEST),
        );
  const follow = () => controller.abort(outer?.reason);
  if (outer?.aborted) follow();
  outer?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    end() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', follow);
    },
  };
}
