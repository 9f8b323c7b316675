import { pino } from 'pino';

/** What rooms may ask of a logger. From `warn` on the message is static and the facts are in the object, so that they group. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on stderr, with what is known to be secret cut out should it ever get into the facts. */
export function createLogger(level: LogLevel): Logger {
  const redact = [
    'token',
    '*.token',
    'password',
    '*.password',
    'authorization',
    '*.authorization',
    'variables',
    '*.variables',
  ];
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact },
    pino.destination({ fd: 2, sync: true }),
  );
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
