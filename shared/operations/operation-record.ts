import { notFound, type SkerryError } from '../platform/errors.ts';
import type { Decision, Decisions, StoredRecord } from '../records/index.ts';
import type { Operation } from './command-rule.ts';
import { type OperationValue, type StepValue, stepKey } from './operation.ts';

/** Of what operations write by themselves. */
export const AUTHOR = { actor: 'system:operations' };

/** What the scope of an operation holds. */
export type OperationRecord = OperationValue | StepValue;
export type OperationWrites = Decisions<OperationRecord>['writes'];

export function toOperation(ns: string, { key, value }: StoredRecord<OperationValue>): Operation {
  return { ...value, ns, id: key.slice(key.lastIndexOf('/') + 1) };
}

/** An operation's record as it is written, whoever does: it stands in the listing by its age. */
export function putOperation(id: string, value: OperationValue): Decision<OperationValue> & { type: 'put' } {
  return { type: 'put', value, listed: `${value.acceptedAt}${id}` };
}

export function putStep(operation: string, step: StepValue): OperationWrites[number] {
  return { key: stepKey(operation, step.id), decision: { type: 'put', value: step } };
}

export function unknownOperation(id: string): SkerryError {
  return notFound(`There is no operation "${id}".`, {
    fix: 'An operation is kept for some time after its end (SKERRY_OPERATION_RETENTION_DAYS).',
  });
}
