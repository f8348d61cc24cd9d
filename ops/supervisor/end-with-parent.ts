/**
 * Loaded before a program that knows nothing of the supervisor (`node --import`): when the channel to the supervisor
 * closes, because that was killed, the program is told to stop. The channel alone does not keep it running.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
