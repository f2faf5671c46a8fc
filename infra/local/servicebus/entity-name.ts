import { z } from 'zod';

/** `longest` as in Microsoft, "Service Bus quotas". */
export function entityName(entity: string, longest: number, inside = '._-') {
  const pattern = `^[A-Za-z0-9](?:[A-Za-z0-9${inside}]{0,${longest - 2}}[A-Za-z0-9])?$`;
  return z.string().regex(new RegExp(pattern), `Not a valid ${entity} name.`);
}

/** An array whose items have different names, whatever their case. */
export function named<Item extends z.ZodType<{ Name: string }>>(item: Item, entity: string) {
  return z.array(item).check(({ value, issues }) => {
    const names = value.map(({ Name }) => Name.toLowerCase());
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      const message = `Declares the ${entity} ${name} twice.`;
      issues.push({ code: 'custom', message, input: value[index]?.Name, path: [index, 'Name'] });
    }
  });
}
