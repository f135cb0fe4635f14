namespace Leasehold.Checks;

static class Schedules
{
    public static IEnumerable<Check> Checks => [];
}
