import type { LongRunningOperation } from '../../operations/operation.ts';
import { messageOf } from '../../transport/transport.ts';
import type { Context } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { OperationReport } from './operation-report.ts';

/** The flag of commands that begin an operation. */
export const WAIT_FLAG = { wait: { summary: 'follow the operation to its end' } } as const;

/** Shows how an operation goes until it is over. @returns the exit code. */
export async function followOperation(
  id: string,
  { client, output, signal }: Pick<Context, 'client' | 'output' | 'signal'>,
): Promise<number | undefined> {
  const report = new OperationReport(output);
  const onFault = (error: unknown) => output.note(`skerry: ${messageOf(error)}`);
  let state: string | undefined;
  for await (const update of client.operations.follow(id, { signal, onFault })) {
    report.show(update);
    state = update.operation.state;
  }
  return state === 'succeeded' ? undefined : EXIT.failed;
}

/** Tells of an operation that has begun, and follows it where that is wished. @returns the exit code. */
export async function tellOperation(
  operation: LongRunningOperation,
  wait: true | undefined,
  context: Pick<Context, 'client' | 'output' | 'signal'>,
): Promise<number | undefined> {
  const { id, type, session } = operation;
  if (wait) return await followOperation(id, context);
  context.output.document(
    operation,
    () => `${id}  ${type} of ${session} is accepted; "skerry op follow ${id}" shows how it goes`,
  );
  return undefined;
}
