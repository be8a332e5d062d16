#include <fulmar/host/execute.hpp>

#include <fmt/format.h>

namespace fulmar::host {
namespace {

class waited_request final : public request {
  public:
    waited_request() noexcept
        : request([](request& r) noexcept { static_cast<waited_request&>(r).over = true; }) {}
    bool over = false;
};

}  // namespace

std::string text_of(nvme::status s) {
    return fmt::format("{} (SCT {:x}h, SC {:02x}h{})", nvme::describe(s),
                       static_cast<unsigned>(s.sct), s.sc, s.dnr ? ", DNR" : "");
}

result<reply> execute(queue& q, const command& what, const deadline& until) {
    waited_request r;
    r.command = what.sqe;
    r.direction = what.direction;
    r.data = what.data.data();
    r.data_bytes = static_cast<std::uint32_t>(what.data.size());
    r.sgl_as_given = what.sgl_as_given;
    r.data_in_capsule = what.data_in_capsule;
    bool queued = false;
    while (!r.over) {
        if (!queued) {
            switch (q.submit(r)) {
                case submit_result::queued: queued = true; break;
                case submit_result::full: break;
                case submit_result::closed: return tl::unexpected(q.why_closed());
            }
        }
        if (q.poll() || r.over) continue;
        if (until.passed()) {
            q.close();
            return fail(errc::timed_out,
                        fmt::format("no answer to command {:02x}h in time", what.sqe.opcode));
        }
        q.wait(until);
    }
    if (!r.answered) return tl::unexpected(q.why_closed());
    return reply{r.answer, r.transferred, r.data_damaged};
}

result<reply> execute_ok(queue& q, const command& what, const deadline& until,
                         std::string_view what_for) {
    FULMAR_TRY(const reply got, execute(q, what, until));
    if (got.data_damaged)
        return fail(errc::io_error, fmt::format("{}: a data digest does not match", what_for));
    if (!got.ok())
        return fail(errc::io_error, fmt::format("{}: {}", what_for, text_of(got.status())));
    return got;
}

}  // namespace fulmar::host
