package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxBody     = 64 << 10
	maxID       = 128
	maxQuantity = 1000000
	apiPrefix   = "/api/inventory/"
)

type app struct {
	store  *store
	queues *queues
	log    *lineLog
}

type reserveAnswer struct {
	Success           bool    `json:"success"`
	ProductID         string  `json:"productId"`
	RequestedQuantity int64   `json:"requestedQuantity"`
	AvailableQuantity int64   `json:"availableQuantity"`
	ReservationID     *string `json:"reservationId"`
	ExpiresAt         *string `json:"expiresAt"`
	Message           string  `json:"message"`
	AcquiredLease     bool    `json:"acquiredLease"`
}

type releaseAnswer struct {
	Success              bool   `json:"success"`
	ProductID            string `json:"productId"`
	ReleasedQuantity     int64  `json:"releasedQuantity"`
	NewAvailableQuantity int64  `json:"newAvailableQuantity"`
	Message              string `json:"message"`
}

type activeReservation struct {
	ReservationID string `json:"reservationId"`
	CustomerID    string `json:"customerId"`
	Quantity      int64  `json:"quantity"`
	ReservedAt    string `json:"reservedAt"`
	ExpiresAt     string `json:"expiresAt"`
}

type productAnswer struct {
	ProductID          string              `json:"productId"`
	TotalQuantity      int64               `json:"totalQuantity"`
	AvailableQuantity  int64               `json:"availableQuantity"`
	ReservedQuantity   int64               `json:"reservedQuantity"`
	ActiveReservations []activeReservation `json:"activeReservations"`
}

type errorAnswer struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func answer(w http.ResponseWriter, status int, version int64, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	if version > 0 {
		h.Set("ETag", `"`+strconv.FormatInt(version, 10)+`"`)
	}
	w.WriteHeader(status)
	w.Write(text)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	var body errorAnswer
	body.Error.Code, body.Error.Message = code, message
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	answer(w, status, 0, &body)
}

func (a *app) failWith(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errNotFound):
		fail(w, http.StatusNotFound, "ProductNotFound", "there is no such product")
	case errors.Is(err, errPrecondition), errors.Is(err, errLeaseLost):
		fail(w, http.StatusConflict, "LeaseLost", "the lease was lost; nothing was changed")
	default:
		a.log.printf("error: %v", err)
		fail(w, http.StatusServiceUnavailable, "StorageUnavailable", "storage could not be reached")
	}
}

func isProductID(id string) bool {
	if id == "" || len(id) > maxID || id == "." || id[len(id)-1] == '.' {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		isPlain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !isPlain && !strings.ContainsRune("._~-", rune(c)) {
			return false
		}
	}
	return true
}

func isCustomerID(id string) bool {
	return id != "" && utf8.RuneCountInString(id) <= maxID && strings.IndexFunc(id, unicode.IsControl) < 0
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	invocation := r.Header.Get("x-ms-invocation-id")
	if invocation == "" {
		invocation = newUUID()
	}
	w.Header().Set("x-ms-request-id", invocation)
	if !strings.HasPrefix(r.URL.Path, apiPrefix) {
		fail(w, http.StatusNotFound, "NotFound", "there is nothing here")
		return
	}
	id, action, _ := strings.Cut(r.URL.Path[len(apiPrefix):], "/")
	switch {
	case !isProductID(id):
		fail(w, http.StatusBadRequest, "InvalidProductId", "the product's id is not valid")
	case action == "" && r.Method == http.MethodGet:
		a.get(w, r, id)
	case action == "reserve" && r.Method == http.MethodPost:
		a.change(w, r, id, &request{op: opReserve, invocation: invocation}, a.reserved)
	case action == "release" && r.Method == http.MethodPost:
		a.change(w, r, id, &request{op: opRelease, invocation: invocation}, a.released)
	default:
		fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "not that method")
	}
}

type changeBody struct {
	Quantity      json.Number `json:"quantity"`
	CustomerID    string      `json:"customerId"`
	ReservationID string      `json:"reservationId"`
}

// read checks the body and puts what it says into the request; false: it has answered.
func (req *request) read(w http.ResponseWriter, r *http.Request) bool {
	var body changeBody
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(text) > maxBody {
		fail(w, http.StatusRequestEntityTooLarge, "PayloadTooLarge", "the body is too large")
		return false
	}
	if err := json.Unmarshal(text, &body); err != nil {
		fail(w, http.StatusBadRequest, "InvalidJson", "the body is not a JSON object")
		return false
	}
	quantity, err := body.Quantity.Int64()
	if err != nil || quantity < 1 || quantity > maxQuantity {
		fail(w, http.StatusBadRequest, "InvalidQuantity", "quantity must be a whole number from 1 to 1000000")
		return false
	}
	if !isCustomerID(body.CustomerID) {
		fail(w, http.StatusBadRequest, "InvalidCustomerId", "customerId must have 1 to 128 characters")
		return false
	}
	req.quantity, req.customer, req.reservationID = quantity, body.CustomerID, body.ReservationID
	return true
}

func (a *app) change(w http.ResponseWriter, r *http.Request, id string, req *request,
	write func(http.ResponseWriter, string, *request, bool)) {
	if !req.read(w, r) {
		return
	}
	_, err := a.queues.submit(id, req)
	if errors.Is(err, errConflict) {
		w.Header().Set("Retry-After", "1")
		write(w, id, req, false)
	} else if err != nil {
		a.failWith(w, err)
	} else {
		write(w, id, req, true)
	}
}

func (a *app) reserved(w http.ResponseWriter, id string, req *request, hadLease bool) {
	out := &req.out
	body := reserveAnswer{Success: out.done, ProductID: id, RequestedQuantity: req.quantity, AvailableQuantity: out.available,
		AcquiredLease: hadLease}
	switch {
	case !hadLease:
		body.Message = "Another operation is in progress. Please retry."
		answer(w, http.StatusConflict, 0, &body)
	case !out.done:
		body.Message = fmt.Sprintf("Insufficient inventory. Available: %d", out.available)
		answer(w, http.StatusConflict, out.version, &body)
	default:
		expires := out.expiresAt.UTC().Format(isoMillis)
		body.ReservationID, body.ExpiresAt = &out.reservationID, &expires
		body.Message = fmt.Sprintf("Successfully reserved %d units", req.quantity)
		answer(w, http.StatusOK, out.version, &body)
	}
}

func (a *app) released(w http.ResponseWriter, id string, req *request, hadLease bool) {
	out := &req.out
	body := releaseAnswer{Success: out.done, ProductID: id, ReleasedQuantity: out.quantity, NewAvailableQuantity: out.available}
	switch {
	case !hadLease:
		body.Message = "Could not acquire lease. Please retry."
		answer(w, http.StatusConflict, 0, &body)
	case !out.done:
		body.Message = "No active reservations found for this customer"
		answer(w, http.StatusNotFound, out.version, &body)
	default:
		body.Message = fmt.Sprintf("Successfully released %d units", out.quantity)
		answer(w, http.StatusOK, out.version, &body)
	}
}

func (a *app) get(w http.ResponseWriter, r *http.Request, id string) {
	p, rows, err := a.store.readAll(r.Context(), id)
	if err != nil {
		a.failWith(w, err)
		return
	}
	body := productAnswer{ProductID: id, TotalQuantity: p.total, ActiveReservations: make([]activeReservation, 0, len(rows))}
	now := time.Now()
	for _, row := range rows {
		if row.expiresAt.After(now) {
			body.ReservedQuantity += row.quantity
			body.ActiveReservations = append(body.ActiveReservations, activeReservation{row.id, row.customerID, row.quantity,
				row.reservedAt.UTC().Format(isoMillis), row.expiresAt.UTC().Format(isoMillis)})
		}
	}
	body.AvailableQuantity = body.TotalQuantity - body.ReservedQuantity
	answer(w, http.StatusOK, p.version, &body)
}
