namespace Peer;

// A batch as it is decided: what is to be written, and what is known once it is.
sealed class Transaction(CachedProduct cache)
{
    const int ExpireShare = (Store.MaxChanges + 1) / 2; // of a commit, kept for expired rows if so many wait to be deleted
    const int ExpireFew = 8; // that a commit deletes in any case

    public long Available { get; private set; } = cache.Product.Available;
    public long Freed { get; private set; } = cache.Freed; // units of the expired rows that are left
    public int Deleted { get; private set; } // of the expired ones
    public List<Change> Changes { get; } = [];
    public List<Reservation> Added { get; } = [];
    public List<string> Removed { get; } = [];

    // For how many more changes by requests there is room.
    int Room => Store.MaxChanges - Changes.Count - Math.Max(0, Math.Min(ExpireShare, cache.Expired.Count) - Deleted);

    // False: there is no room for it.
    public bool Reserve(Store store, ChangeRequest request, DateTime now)
    {
        if (Room < 1)
            return false;
        if (request.Quantity <= Available + Freed)
        {
            while (request.Quantity > Available && Changes.Count + 1 < Store.MaxChanges && DeleteExpired())
            {
            }
            if (request.Quantity > Available)
                return false;
            var added = store.NewReservation(request.Customer, request.Quantity, now);
            Available -= request.Quantity;
            Changes.Add(new Change(ChangeKind.Insert, added));
            Added.Add(added);
            request.Out = new Outcome { Done = true, ReservationId = added.Id, ExpiresAt = added.ExpiresAt };
        }
        request.Out.Available = Available + Freed;
        return true;
    }

    // Takes up to the quantity from the customer's reservations, the first to expire first. False:
    // there is no room for it.
    public bool Release(ChangeRequest request, List<Reservation> rows, DateTime now)
    {
        var room = Room;
        if (room < rows.Count && Changes.Count > 0)
            return false;
        foreach (var row in rows)
        {
            if (request.Out.Quantity == request.Quantity || room == 0)
                break;
            if ((request.ReservationId != null && row.Id != request.ReservationId) || row.ExpiresAt <= now ||
                Changes.Exists(c => c.Row.Id == row.Id))
                continue;
            var units = Math.Min(row.Quantity, request.Quantity - request.Out.Quantity);
            request.Out.Quantity += units;
            room--;
            Removed.Add(row.Id);
            var rest = row with { Quantity = row.Quantity - units };
            Changes.Add(new Change(rest.Quantity == 0 ? ChangeKind.Delete : ChangeKind.Merge, rest));
            if (rest.Quantity > 0)
                Added.Add(rest);
        }
        Available += request.Out.Quantity;
        request.Out.Done = request.Out.Quantity > 0;
        request.Out.Available = Available + Freed;
        return true;
    }

    // Makes the units of one more expired row available in the product's; false: there is none.
    bool DeleteExpired()
    {
        if (Deleted == cache.Expired.Count)
            return false;
        var row = cache.Expired[Deleted++];
        Changes.Add(new Change(ChangeKind.Delete, row));
        Available += row.Quantity;
        Freed -= row.Quantity;
        return true;
    }

    // Deletes as many expired rows as the requests change, and a few in any case.
    public void ExpireAlong()
    {
        var share = Math.Max(Changes.Count - Deleted, ExpireFew);
        while (Deleted < share && Changes.Count < Store.MaxChanges && DeleteExpired())
        {
        }
    }
}
