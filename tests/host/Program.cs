return args.FirstOrDefault() switch
{
    "front" => await Leasehold.Front.FrontProgram.RunAsync(args[1..]),
    _ => 64,
};
