import path from 'node:path';

/** Where the package is that is deployed, as azure.yaml says. */
export const PACKAGE_FOLDER = path.resolve(import.meta.dirname, '../../dist/package');
