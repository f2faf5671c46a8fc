import { z } from 'zod';
import { replaySchema } from '../delivery/queue-message.ts';

const positionSchema = z.object({
  container: z.string(),
  ranges: z.array(z.object({ end: z.string(), token: z.string() })).readonly(),
});

const revision = z.int().nonnegative();

const cursorSchema = z.discriminatedUnion('stage', [
  z.object({ stage: z.literal('held'), replays: z.array(replaySchema) }),
  z.object({ stage: z.literal('log'), scope: z.string(), after: revision, upTo: revision }),
  z.object({ stage: z.literal('feed'), position: positionSchema, upTo: positionSchema }),
]);

/**
 * Where a recovery stands. `held`: these deliveries were found held, and are to be begun anew. `log`: the scope's log was read up to
 * and with `after`. `feed`: the feed of all scopes was read up to `position`. What changed behind `upTo` is told by the fan-out.
 */
export type RecoveryCursor = z.output<typeof cursorSchema>;

export function writeRecoveryCursor(cursor: RecoveryCursor): string {
  return JSON.stringify(cursor);
}

/** @throws an error when it is none that `writeRecoveryCursor` wrote. */
export function readRecoveryCursor(text: string): RecoveryCursor {
  return cursorSchema.parse(JSON.parse(text));
}
