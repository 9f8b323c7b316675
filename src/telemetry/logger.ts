import { pino, type DestinationStream } from 'pino';

/** What rooms may ask of a logger. From `warn` on the message is static and the facts are in the object, so that they group. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Keys whose values are never for a log, should they ever get into the facts. */
const SECRET_KEYS = [
  'token',
  'jobToken',
  'job_token',
  'password',
  'passwd',
  'secret',
  'apiKey',
  'authorization',
  'cookie',
  'variables',
  'headers',
  'env',
];
/** In the facts themselves, in an object among them, and once more (an error's `options.headers`). */
const SECRET_PATHS = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/**
 * JSON lines on stderr. An error among the facts is written with its stack and causes.
 * @param destination for tests
 */
export function createLogger(level: LogLevel, destination: DestinationStream = stderr()): Logger {
  const { err } = pino.stdSerializers;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err, error: err, cause: err },
      redact: SECRET_PATHS,
    },
    destination,
  );
}

/** Written at once: the last line before a crash is the one that is wanted. */
function stderr(): DestinationStream {
  return pino.destination({ fd: 2, sync: true });
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
