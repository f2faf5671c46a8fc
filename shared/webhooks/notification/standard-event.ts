import { parseScopeId } from '../../records/index.ts';
import { type ChangeData, changeData, type ToldChange } from './change-data.ts';
import { eventType } from './event-type.ts';

/** The body that Standard Webhooks 1.0 recommends ("Payload structure"). */
export interface StandardEvent<Data> {
  readonly type: string;
  /** When it happened, RFC 3339, UTC. */
  readonly timestamp: string;
  readonly data: Data;
}

export function standardEvent(told: ToldChange): StandardEvent<ChangeData> {
  const { scope, change } = told;
  return {
    type: eventType(parseScopeId(scope), change),
    timestamp: change.at,
    data: changeData(told),
  };
}
