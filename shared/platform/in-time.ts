/**
 * Runs a call that may take so long, in milliseconds, and is told by a signal when it is over.
 *
 * @throws what the call throws; what `late` makes when it takes longer.
 */
export async function inTime<Answer>(
  milliseconds: number,
  call: (abortSignal: AbortSignal) => Promise<Answer>,
  late: () => Error,
): Promise<Answer> {
  const patience = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(late());
    patience.abort();
  }, milliseconds);
  try {
    return await Promise.race([call(patience.signal), over]);
  } finally {
    clearTimeout(timer);
  }
}
