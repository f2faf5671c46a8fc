import { setTimeout as delay } from 'node:timers/promises';
import type { Faults, Operation } from '../faults.ts';
import { ServiceBusError, serverBusy } from '../service-bus-error.ts';

interface DetachableLink {
  close(error: { readonly condition: string; readonly description: string }): void;
}

interface Operated {
  readonly operation: Operation;
  readonly byManagement?: boolean;
  /** Takes away the locks that the operation is about. */
  readonly loseLocks?: () => void;
}

/** Makes what one client does on one link to one entity fail on purpose. */
export class FaultInjection {
  readonly #faults: Faults;
  readonly #entity: string;
  readonly #link: DetachableLink;
  readonly #dropConnection: () => void;

  constructor(faults: Faults, entity: string, link: DetachableLink, dropConnection: () => void) {
    this.#faults = faults;
    this.#entity = entity;
    this.#link = link;
    this.#dropConnection = dropConnection;
  }

  /** Does the work, unless a fault stands in its way; what it throws is to be the client's answer. */
  async run<Result>(
    { operation, byManagement = false, loseLocks }: Operated,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const fault = this.#faults.actionFor({ entity: this.#entity, operation, byManagement });
    switch (fault?.kind) {
      case undefined:
        return work();
      case 'delay':
        await delay(fault.ms);
        return work();
      case 'lock-lost':
        loseLocks?.();
        return work();
      case 'server-busy':
        throw serverBusy();
      case 'detach-link': {
        const error = new ServiceBusError(fault.condition, 500, INJECTED);
        this.#link.close({ condition: error.condition, description: error.message });
        throw error;
      }
      case 'drop-connection':
        if (fault.when === 'after') await work();
        this.#dropConnection();
        throw new ServiceBusError('amqp:connection:forced', 500, INJECTED);
    }
  }
}

const INJECTED = 'This failure was injected.';
