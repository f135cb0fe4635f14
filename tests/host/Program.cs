// host.dll front OPTIONS     the front, with bin/devhost's options
// host.dll probe             a handler that shows what reaches it
// host.dll check [WORD...]   the checks whose names hold one of the words
return args.FirstOrDefault() switch
{
    "front" => await Leasehold.Front.FrontProgram.RunAsync(args[1..]),
    "probe" => await Leasehold.Checks.Probe.RunAsync(),
    "check" => await Leasehold.Checks.Runner.RunAsync(args[1..]),
    _ => 64,
};
