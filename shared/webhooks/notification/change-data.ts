import { type Change, type Json, parseScopeId } from '../../records/index.ts';
import { selectFields } from './select-fields.ts';

/** A change that someone is told of. */
export interface ToldChange {
  /** Partition key of the change's scope. */
  readonly scope: string;
  readonly change: Change<Json>;
  /** Id of the subscription that it is told to; absent on the bus, where anyone listens. */
  readonly subscription?: string | undefined;
  /** JSON Pointers: all that is told of the values before and after. */
  readonly fields?: readonly string[] | undefined;
}

/** What an event carries of a change, in every format. */
export interface ChangeData {
  readonly subscription?: string;
  readonly ns: string;
  readonly scope: string;
  readonly key: string;
  readonly revision: number;
  readonly type: string;
  readonly actor: string;
  /** Null where there was no record before the change. */
  readonly before: Json;
  /** Null where there is none after it. */
  readonly after: Json;
}

export function changeData({ scope, change, subscription, fields }: ToldChange): ChangeData {
  const { key, revision, type, actor, previous, value } = change;
  const told = (whole: Json | undefined): Json =>
    whole === undefined ? null : fields === undefined ? whole : selectFields(whole, fields);
  return {
    ...(subscription !== undefined && { subscription }),
    ns: parseScopeId(scope).ns,
    scope,
    key,
    revision,
    type,
    actor,
    before: told(previous?.value),
    after: told(value),
  };
}
