import type { Container, Database } from '@azure/cosmos';
import type { Gate } from '../interleaving.ts';

/** A container of which every call that reaches the storage goes through the gate. */
export function gatedContainer(container: Container, gate: Gate): Container {
  const { items } = container;
  return {
    item: (...address: Parameters<Container['item']>) => {
      const item = container.item(...address);
      return {
        read: (...options: Parameters<typeof item.read>) => gate('read', () => item.read(...options)),
        replace: (...options: Parameters<typeof item.replace>) =>
          gate('replace', () => item.replace(...options)),
        delete: (...options: Parameters<typeof item.delete>) => gate('delete', () => item.delete(...options)),
      };
    },
    items: {
      create: (...options: Parameters<typeof items.create>) => gate('create', () => items.create(...options)),
      batch: (...options: Parameters<typeof items.batch>) => gate('batch', () => items.batch(...options)),
      query: (query: string, options: object) => {
        const pages = items.query(query, options);
        return {
          hasMoreResults: () => pages.hasMoreResults(),
          fetchNext: () => gate('query', () => pages.fetchNext()),
        };
      },
    },
  } as unknown as Container;
}

/** The containers of a database, behind the gate where there is one, which is told of each call whose it is: `records read`. */
export function gatedContainers(database: Database, gate: Gate | undefined): (id: string) => Container {
  return (id) => {
    const container = database.container(id);
    return gate === undefined
      ? container
      : gatedContainer(container, (step, run) => gate(`${id} ${step}`, run));
  };
}
