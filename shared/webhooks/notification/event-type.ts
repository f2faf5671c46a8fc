import type { Change, Json, Scope } from '../../records/index.ts';

/**
 * What an event says that happened, such as `srv.put`. Records of the kind `endpoint` tell of the state of a webhook's
 * endpoint, so there it is the state that happened: `endpoint.disabled`, and without the record `endpoint.recovered`.
 */
export function eventType({ kind }: Scope, { type, value }: Change<Json>): string {
  return `${kind}.${kind === 'endpoint' ? (stateOf(value) ?? 'recovered') : type}`;
}

function stateOf(value: Json | undefined): string | undefined {
  return typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    typeof value.state === 'string'
    ? value.state
    : undefined;
}
