const prefix = `[Instance ${process.env.HANDLER_INSTANCE ?? process.pid}] `;
let lines = '';

// All lines of one round of the event loop go out together.
export function log(line) {
    if (lines === '') {
        setImmediate(() => {
            process.stdout.write(lines);
            lines = '';
        });
    }
    lines += `${prefix}${line}\n`;
}
