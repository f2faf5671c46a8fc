import path from 'node:path';

/** Where the built client is, as package.json says. */
export const CLIENT_FOLDER = path.resolve(import.meta.dirname, '../../dist/client');
