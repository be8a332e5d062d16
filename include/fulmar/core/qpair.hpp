// A queue pair: the part of a connection that core sees. Transports derive from it.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/connect_op.hpp>
#include <fulmar/core/hidden_namespaces.hpp>
#include <fulmar/core/listener_places.hpp>
#include <fulmar/core/qpair_states.hpp>
#include <fulmar/core/queue_counters.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/core/secure_channel.hpp>
#include <fulmar/core/status_report.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/mem/buffer_credit.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::core {

class controller;
class poll_group;
class queue_authentication;
struct abort_op;
struct group_host;
struct host_buffers;
struct namespace_entry;
struct subsystem_group;

enum class close_reason : std::uint8_t {
    peer_closed,        ///< the host went away
    transport_error,    ///< the bytes or the socket were wrong
    protocol_error,     ///< the host broke a rule that ends the connection
    host_disconnected,  ///< Disconnect, or its controller ended
    keep_alive,         ///< KATO expired
    operator_request,   ///< subsystem, host or listener removed
    stalled,            ///< a deadline of the connection passed
    gave_way,           ///< others needed its place, and it or its host had the most
    not_authenticated,  ///< its host did not prove who it is, or does not believe us
    key_used_up,        ///< what encrypts it must encrypt no more
    cross_reset,        ///< another controller of its host was asked to end it
    shutdown,
};
[[nodiscard]] std::string_view to_string(close_reason reason) noexcept;

/// Called on: owning reactor, all methods.
class qpair {
  public:
    qpair(const qpair&) = delete;
    qpair& operator=(const qpair&) = delete;
    virtual ~qpair();

    // For the transport.

    /// A command has arrived, with its in-capsule data (if any) complete and its digests right. The
    /// request is core's until answer().
    void on_command(request& r) noexcept;
    /// The data that fetch_data() asked for is in the request's chain; `status` is success, or what
    /// went wrong on the way.
    void on_data(request& r, nvme::status status) noexcept;
    /// The answer has left, or never will: the request is the transport's again.
    void on_answered(request& r) noexcept;
    /// The connection is broken, or must end. Idempotent.
    void close(close_reason reason) noexcept;
    /// close() once every answer that is on its way has left.
    void close_when_idle(close_reason why = close_reason::host_disconnected) noexcept {
        closes_when_idle_ = true;
        reason_when_idle_ = why;
    }

    [[nodiscard]] qpair_state state() const noexcept { return state_; }
    [[nodiscard]] bool usable() const noexcept { return state_ < qpair_state::closing; }
    /// The account for transfers. Open once a Connect has been accepted.
    [[nodiscard]] mem::buffer_credit& credit() noexcept { return credit_; }
    /// A chunk for the in-capsule data that comes next, or an empty chain: then wait_in_capsule().
    /// Out of the newcomers' pool until a Connect has been accepted.
    [[nodiscard]] mem::buffer_chain take_in_capsule() noexcept;
    void wait_in_capsule(mem::buffer_waiter& w) noexcept;
    [[nodiscard]] poll_group& group() const noexcept { return *group_; }
    /// How long its peer may take nothing of an answer.
    [[nodiscard]] duration send_patience() const noexcept;
    /// How long it may send nothing of data that it was asked for.
    [[nodiscard]] duration data_patience() const noexcept;
    /// SQHD of the next answer.
    [[nodiscard]] std::uint16_t sq_head() const noexcept {
        return flow_control_ ? sq_head_ : nvme::sqhd_no_flow_control;
    }
    [[nodiscard]] bool flow_control() const noexcept { return flow_control_; }
    [[nodiscard]] std::uint16_t number() const noexcept { return qid_; }
    [[nodiscard]] bool is_io() const noexcept { return qid_ != 0; }
    [[nodiscard]] connection_status status() const;
    /// Of the connection, for people; never reused.
    [[nodiscard]] std::uint64_t connection_number() const noexcept { return number_; }
    /// What its Connect asked for, as far as it came.
    [[nodiscard]] const connect_op& asked() const noexcept { return connect_; }
    /// Requests between on_command() and on_answered().
    [[nodiscard]] std::uint32_t outstanding() const noexcept { return outstanding_; }

    /// What its connection is encrypted with; null: it is plain. Never changes once a Connect has
    /// come. Called on: any thread that has its Connect in hand.
    [[nodiscard]] virtual const secure_channel* channel() const noexcept { return nullptr; }

    /// Its place at its listener; null where connections are not counted. Never changes once the
    /// connection can be seen. Called on: any thread that has its Connect in hand.
    [[nodiscard]] connection_ticket* ticket() const noexcept { return ticket_.get(); }

  protected:
    explicit qpair(poll_group& group, std::shared_ptr<connection_ticket> place = nullptr);

    // What core asks of the transport.

    /// Fetch `r.length` bytes from the host into `r.chain`, then on_data().
    virtual void fetch_data(request& r) noexcept = 0;
    /// Send `r.status`, dw0, dw1, and the data when r.answers_with_data(), then on_answered() (not
    /// inside this call, unless stopped).
    virtual void answer(request& r) noexcept = 0;
    /// From now on nothing is received or sent. Every request in `answering` is given back through
    /// on_answered(), every one in `awaiting_data` through on_data() with an error, inside this
    /// call; a later answer() is given back at once.
    virtual void stop() noexcept = 0;
    /// Visits every request that is not idle. The visitor may end the one it is shown,
    /// and the other one of its fused pair.
    virtual void for_each_request(void (*visit)(request&, void*), void* context) noexcept = 0;
    /// Make room for `depth` requests (Connect said so).  False: no memory.
    virtual bool grow(std::uint32_t depth) noexcept = 0;
    /// A Connect was accepted: number() says as which queue. What was taken in advance, or is
    /// waited for, by take_in_capsule() is out of the former pool: to be taken anew.
    virtual void connected() noexcept {}
    /// Everything is home and nobody refers to this qpair: destroy it, now or at the end of the
    /// turn.
    virtual void retire() noexcept = 0;
    /// Fills in what only the transport knows: addresses, digests.
    virtual void describe(connection_status& into) const = 0;
    /// Data moves by keyed descriptors, as Identify Controller tells hosts (RDMA).
    [[nodiscard]] virtual bool moves_data_by_key() const noexcept { return false; }
    [[nodiscard]] virtual std::string_view listener_name() const noexcept = 0;

  private:
    friend class poll_group;
    friend class controller;
    friend struct subsystem_group;

    void advance(qpair_event on) noexcept;
    /// For the Error Information log; only of a queue that has joined its controller.
    void record_error(const request& r, nvme::status status) noexcept;
    void check_drained() noexcept;
    void end_waiting_request(request& r) noexcept;
    void second_is_missing() noexcept;
    [[nodiscard]] static nvme::status fault_of(const request& r) noexcept;
    static void abort_request(request& r, abort_op& op) noexcept;
    void give_up_backends() noexcept;
    [[nodiscard]] bool join_host(bool io) noexcept;
    [[nodiscard]] bool make_authentication() noexcept;
    /// From now on it is what its Connect asked for.
    void admit(bool discovery) noexcept;
    [[nodiscard]] bool is_admin_of_controller() const noexcept {
        return controller_ != nullptr && connect_.command.qid.value() == 0;
    }
    /// From now on this queue's memory is what its kind may have, counted in its host.
    void open_credit(bool discovery) noexcept;
    [[nodiscard]] mem::buffer_credit& in_capsule_credit() noexcept {
        return credit_.open() ? credit_ : early_credit_;
    }
    /// Unless something of it is held still; then it closes with the connection.
    void close_early_credit() noexcept;
    void leave_host() noexcept;
    void detach_from_controller() noexcept;
    void detached() noexcept;

    poll_group* group_;
    const std::shared_ptr<connection_ticket> ticket_;
    mem::buffer_credit credit_;
    mem::buffer_credit early_credit_;  // before a Connect has been accepted
    qpair_state state_ = qpair_state::fresh;
    close_reason reason_ = close_reason::peer_closed;
    bool flow_control_ = true;
    bool closes_when_idle_ = false;
    bool unproven_ = false;  // its host has to authenticate before anything else
    close_reason reason_when_idle_ = close_reason::host_disconnected;
    std::uint16_t qid_ = 0;
    std::uint16_t sq_head_ = 0;
    std::uint32_t sq_entries_ = 0;
    std::uint32_t outstanding_ = 0;
    std::uint64_t number_ = 0;          // for people, never reused
    controller* controller_ = nullptr;  // this queue's; lives on the home reactor
    poll_group* home_ = nullptr;        // the controller's
    subsystem_group* subsystem_ = nullptr;
    queue_counters* counters_ = nullptr;  // in the controller; valid while attached
    queue_counters own_counters_;         // until then
    request* connect_request_ = nullptr;
    connect_op connect_;
    std::unique_ptr<queue_authentication> authentication_;  // null: its host need not
    group_host* host_ = nullptr;    // that connected; null while it is unproven
    bool host_has_io_ = false;      // it counts this as an I/O queue
    hidden_namespaces hidden_;      // from its host
    std::uint16_t ana_column_ = 0;  // where ANA states by its listener are
    /// A closing queue waits for what is at backends, but not for ever.
    engine::member_timer<&qpair::give_up_backends> drain_deadline_{*this};
    request* first_of_pair_ = nullptr;  // whose second has not come
    engine::member_timer<&qpair::second_is_missing> second_deadline_{*this};
    list_hook group_hook_;
    list_hook subsystem_hook_;

  public:
    // Core's.

    /// For the flight recorder.
    void note(const char* what, const char* detail, std::uint64_t value = 0) const noexcept;
    /// The name of the listener that it came by.
    [[nodiscard]] std::string_view listener() const noexcept { return listener_name(); }

    // Steps of a Connect (command/connect.hpp), in this order.
    [[nodiscard]] connect_op& connecting() noexcept { return connect_; }
    void begin_connect(request& r) noexcept;
    /// Finds its host, and takes the size that the host asked for.  False: no memory.
    [[nodiscard]] bool adopt(const subsystem_group& by) noexcept;
    /// Its controller knows of it, and is to be told when it goes.
    void counted_in(controller& by, poll_group& its_home) noexcept;
    /// It is live. `counters`: where it counts from now on; null: in its own.
    void accept_connect(subsystem_group& in, queue_counters* counters) noexcept;
    void refuse_connect(nvme::status status, std::uint32_t dw0) noexcept;
    // The first of a fused pair whose second has not come: command/fused.hpp.
    void await_second(request& first) noexcept;
    /// Null: none waits.
    [[nodiscard]] request* take_first_of_pair() noexcept;
    /// Nothing of its Connect is on another reactor any more.
    void connect_is_home() noexcept { check_drained(); }
    /// Its controller has let it go.
    void left_controller() noexcept { detached(); }
    /// Ends the command that `op` names, if it waits for something.
    void abort(abort_op& op) noexcept;

    /// Hands the answer to the transport, or ends the request at once when the connection is
    /// closing.
    void finish(request& r, nvme::status status) noexcept;
    /// Asks the transport for the command's data; then on_data().
    void fetch(request& r) noexcept;
    /// Its host does not see `entry`.
    [[nodiscard]] bool hides(const namespace_entry& entry) const noexcept;  // subsystem_group.hpp
    [[nodiscard]] const hidden_namespaces& hidden() const noexcept { return hidden_; }
    /// Of subsystem_description::ana_column(), for its listener.
    [[nodiscard]] std::uint16_t ana_column() const noexcept { return ana_column_; }
    /// Its host's memory of the kind that this queue uses; null on discovery controllers.
    [[nodiscard]] host_buffers* buffers() noexcept;
    /// It may run nothing but Authentication Send and Receive.
    [[nodiscard]] bool unproven() const noexcept { return unproven_; }
    /// Null: its host need not authenticate.
    [[nodiscard]] queue_authentication* authentication() const noexcept {
        return authentication_.get();
    }
    /// Its host has proved who it is. False: no memory for what it may have now.
    [[nodiscard]] bool prove() noexcept;
    /// Where the data of its authentication comes from: not from what its host may have, before
    /// that is known.
    [[nodiscard]] mem::buffer_credit& authentication_credit() noexcept;
    // Null before a Connect has been accepted; counters() are the queue's own then.
    [[nodiscard]] core::controller* attached_controller() const noexcept { return controller_; }
    [[nodiscard]] subsystem_group* subsystem() const noexcept { return subsystem_; }
    [[nodiscard]] group_host* host() const noexcept { return host_; }
    [[nodiscard]] queue_counters& counters() noexcept { return *counters_; }
    /// What its Connect brought; nil before a Connect.
    [[nodiscard]] nvme::host_id host_identifier() const noexcept;  // these four: controller.hpp
    /// The host has enabled ANA events; false before a Connect.
    [[nodiscard]] bool follows_ana() const noexcept;
    /// The host waits before it tries again, as it is told; false before a Connect.
    [[nodiscard]] bool honours_retry_delay() const noexcept;
    /// The host has switched the volatile write cache off; false before a Connect.
    [[nodiscard]] bool writes_through() const noexcept;

    intrusive_list<request, &request::list> memory_waiters{};  ///< for its host's memory
    list_hook memory_hook{};  ///< in its host's list while there are any, or were in this turn
};

}  // namespace fulmar::core
