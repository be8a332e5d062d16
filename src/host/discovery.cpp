#include <fulmar/host/discovery.hpp>
#include <fulmar/nvme/copy_text.hpp>

namespace fulmar::host {
namespace {

constexpr int attempts_max = 5;
constexpr std::uint64_t records_max = 1u << 16;

discovery_entry decode(const nvme::discovery_log_entry& raw) {
    discovery_entry e{.transport = raw.trtype,
                      .address_family = raw.adrfam,
                      .subtype = raw.subtype,
                      .treq = raw.treq,
                      .port_id = raw.portid.value(),
                      .cntlid = raw.cntlid.value(),
                      .admin_queue_entries = raw.asqsz.value(),
                      .flags = raw.eflags.value(),
                      .address = std::string(nvme::field_text(raw.traddr)),
                      .service = std::string(nvme::field_text(raw.trsvcid)),
                      .subnqn = std::string(nvme::field_text(raw.subnqn))};
    if (raw.trtype == static_cast<std::uint8_t>(nvme::trtype::tcp))
        e.tcp_security = raw.as_tcp().sectype;
    return e;
}

result<nvme::discovery_log_header> read_header(controller& c, std::uint8_t lsp) {
    FULMAR_TRY(const auto data, c.get_log({.lid = static_cast<std::uint8_t>(nvme::lid::discovery),
                                           .lsp = lsp,
                                           .length_bytes = sizeof(nvme::discovery_log_header)}));
    return *nvme::read_wire<nvme::discovery_log_header>(data);
}

}  // namespace

result<discovery_log> read_discovery_log(controller& c, std::uint8_t lsp) {
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        FULMAR_TRY(const auto header, read_header(c, lsp));
        const std::uint64_t count = header.numrec.value();
        if (count > records_max)
            return fail(errc::io_error, "the discovery log claims too many records");
        discovery_log log{.generation = header.genctr.value(),
                          .record_format = header.recfmt.value(),
                          .entries = {}};
        if (count != 0) {
            FULMAR_TRY(const auto data,
                       c.get_log({.lid = static_cast<std::uint8_t>(nvme::lid::discovery),
                                  .lsp = lsp,
                                  .length_bytes = count * sizeof(nvme::discovery_log_entry),
                                  .offset_bytes = sizeof(nvme::discovery_log_header)}));
            for (std::uint64_t i = 0; i < count; ++i)
                log.entries.push_back(decode(*nvme::read_wire<nvme::discovery_log_entry>(
                    std::span(data).subspan(i * sizeof(nvme::discovery_log_entry)))));
        }
        FULMAR_TRY(const auto after, read_header(c, lsp));
        if (after.genctr.value() == log.generation) return log;
    }
    return fail(errc::unavailable, "the discovery log keeps changing");
}

result<discovery_log> discover(controller_options options) {
    if (options.subnqn.empty()) options.subnqn = std::string(nvme::discovery_nqn);
    options.keep_alive_ms = 0;
    options.keys = {};  // discovery services are open to all
    FULMAR_TRY(const auto c, controller::connect(options));
    FULMAR_TRY(auto log, read_discovery_log(*c));
    (void)c->shutdown();  // what was asked for is there; how it ends does not matter
    return log;
}

}  // namespace fulmar::host
