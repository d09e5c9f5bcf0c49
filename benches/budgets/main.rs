mod callgrind;
mod heap;
mod in_process;
mod requests;
mod table;
use in_process::Path;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["--part", "in-process", path, side] = args[..] {
        return in_process::part(path, side);
    }
    for path in [Path::NotACreate, Path::WithoutId, Path::TrackedSend, Path::Confirm] {
        let c = in_process::measure(path);
        println!(
            "{path:?}: {:?} instr, {} allocs, {:?} ns",
            c.instructions, c.allocations, c.nanoseconds
        );
    }
}
