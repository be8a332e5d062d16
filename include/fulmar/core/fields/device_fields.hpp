// The fields of a device, and which type of device has which.
#pragma once

#include <fulmar/core/fields/field.hpp>

#include <bit>

namespace fulmar::core {

#ifdef FULMAR_FAULTS
inline constexpr std::array<std::string_view, 7> device_words{"null", "ram", "file", "pcie",
                                                              "nbd",  "rbd", "fault"};
#else
inline constexpr std::array<std::string_view, 6> device_words{"null", "ram", "file",
                                                              "pcie", "nbd", "rbd"};
#endif
inline constexpr std::size_t shipped_device_words = 6;

/// Types of devices as the bits of field_facts: in the order of device_words.
namespace device_type {
inline constexpr std::uint32_t null = 1;
inline constexpr std::uint32_t ram = 2;
inline constexpr std::uint32_t file = 4;
inline constexpr std::uint32_t pcie = 8;
inline constexpr std::uint32_t nbd = 16;
inline constexpr std::uint32_t rbd = 32;
inline constexpr std::uint32_t fault = 64;
inline constexpr std::uint32_t of_given_size = null | ram | fault;
inline constexpr std::uint32_t of_found_size = file | nbd | rbd;
inline constexpr std::uint32_t not_a_drive = of_given_size | of_found_size;
}  // namespace device_type

/// The word of one type.
constexpr std::string_view device_word(std::uint32_t type) noexcept {
    return device_words[static_cast<std::size_t>(std::countr_zero(type))];
}
static_assert(device_word(device_type::null) == "null" && device_word(device_type::ram) == "ram" &&
              device_word(device_type::file) == "file" &&
              device_word(device_type::pcie) == "pcie" && device_word(device_type::nbd) == "nbd" &&
              device_word(device_type::rbd) == "rbd");

inline constexpr std::array<std::uint32_t, 2> block_sizes{512, 4096};
inline constexpr std::string_view only_a_drive = "only a \"pcie\" device has one";
inline constexpr std::string_view only_an_export = "only an \"nbd\" device has one";
inline constexpr std::string_view only_an_image = "only an \"rbd\" device has one";
inline constexpr std::string_view drives_own = "is the drive's own";

template <>
struct fields_of<device_spec> {
    static constexpr std::array all{
        field<device_spec>{&device_spec::name,
                           {.name = "name",
                            .form = field_form::ascii,
                            .least = 1,
                            .most = limits::max_name_bytes,
                            .need = field_need::always,
                            .always_written = true,
                            .help = "A name of your choice.",
                            .sample = "a name of your choice, such as \"disk0\""}},
        field<device_spec>{
            &device_spec::type,
            {.name = "type",
             .form = field_form::word,
             .words = device_words,
             .test_words = device_words.size() - shipped_device_words,
             .need = field_need::always,
             .always_written = true,
             .help = "What stores the blocks.",
             .sample = "one of \"null\", \"ram\", \"file\", \"pcie\", \"nbd\", \"rbd\""}},
        field<device_spec>{&device_spec::path,
                           {.name = "path",
                            .least = 1,
                            .most = limits::max_path_bytes,
                            .always_written = true,
                            .types = device_type::file,
                            .needed_by = device_type::file,
                            .foreign = "only a \"file\" device has a path",
                            .help = "A regular file or a block device.",
                            .sample = "the file or block device that stores the blocks"}},
        field<device_spec>{&device_spec::address,
                           {.name = "address",
                            .form = field_form::pci_address,
                            .always_written = true,
                            .types = device_type::pcie,
                            .needed_by = device_type::pcie,
                            .foreign = only_a_drive,
                            .help = "Where the NVMe drive is on the PCI bus; fulmar drive list "
                                    "shows it.",
                            .sample = "where the drive is, such as \"0000:0b:00.0\""}},
        field<device_spec>{
            &device_spec::serial,
            {.name = "serial",
             .form = field_form::ascii,
             .most = limits::serial_bytes,
             .types = device_type::pcie,
             .foreign = only_a_drive,
             .help = "Only the drive with this serial number. Empty: the first one that is seen "
                     "at the address.",
             .sample = "the serial number that the drive tells, or nothing"}},
        field<device_spec>{&device_spec::drive_nsid,
                           {.name = "drive_nsid",
                            .form = field_form::number,
                            .most = limits::max_drive_nsid,
                            .types = device_type::pcie,
                            .foreign = only_a_drive,
                            .help = "The drive's own namespace. 0: its first."}},
        field<device_spec>{&device_spec::bind,
                           {.name = "bind",
                            .form = field_form::flag,
                            .types = device_type::pcie,
                            .foreign = only_a_drive,
                            .help = "Take the drive from the kernel's driver when nobody uses it.",
                            .option = "--no-bind"}},
        field<device_spec>{&device_spec::detached,
                           {.name = "detached",
                            .form = field_form::flag,
                            .change = field_change::by_request,
                            .types = device_type::pcie,
                            .foreign = only_a_drive,
                            .help = "The drive stays away, wherever it is plugged in, until it is "
                                    "attached."}},
        field<device_spec>{
            &device_spec::uri,
            {.name = "uri",
             .form = field_form::ascii,
             .least = 1,
             .most = limits::max_path_bytes,
             .always_written = true,
             .types = device_type::nbd,
             .needed_by = device_type::nbd,
             .foreign = only_an_export,
             .help = "Which export of which NBD server: nbd://HOST:PORT/EXPORT, "
                     "nbd+unix:///EXPORT?socket=PATH, or nbds and nbds+unix with TLS.",
             .sample = "such as \"nbd://192.0.2.7/disk0\""}},
        field<device_spec>{
            &device_spec::connections,
            {.name = "connections",
             .form = field_form::number,
             .least = 1,
             .most = limits::max_nbd_connections,
             .types = device_type::nbd,
             .foreign = only_an_export,
             .help = "Connections of each reactor. A server that does not promise that a flush "
                     "covers all of its connections has one in all, whatever is said here."}},
        field<device_spec>{
            &device_spec::tls_certificates,
            {.name = "tls_certificates",
             .most = limits::max_path_bytes,
             .types = device_type::nbd,
             .foreign = only_an_export,
             .help = "A folder with ca-cert.pem, by which the server is known, and, where the "
                     "server asks for them, client-cert.pem and client-key.pem.",
             .sample = "the path of a folder"}},
        field<device_spec>{&device_spec::tls_psk_file,
                           {.name = "tls_psk_file",
                            .most = limits::max_path_bytes,
                            .types = device_type::nbd,
                            .foreign = only_an_export,
                            .help = "A file of lines NAME:KEY, as psktool of GnuTLS makes it: TLS "
                                    "with a key that both sides have.",
                            .sample = "the path of a file"}},
        field<device_spec>{&device_spec::tls_username,
                           {.name = "tls_username",
                            .form = field_form::ascii,
                            .most = limits::max_name_bytes,
                            .types = device_type::nbd,
                            .foreign = only_an_export,
                            .help = "Whose line of tls_psk_file.",
                            .sample = "a name of that file"}},
        field<device_spec>{&device_spec::pool,
                           {.name = "pool",
                            .form = field_form::ascii,
                            .least = 1,
                            .most = limits::max_name_bytes,
                            .always_written = true,
                            .types = device_type::rbd,
                            .needed_by = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "The pool of the Ceph cluster that has the image.",
                            .sample = "such as \"rbd\""}},
        field<device_spec>{&device_spec::ceph_namespace,
                           {.name = "namespace",
                            .form = field_form::ascii,
                            .least = 0,
                            .most = limits::max_name_bytes,
                            .types = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "The namespace of the pool. Empty: the default one.",
                            .sample = "the name of a namespace of the pool"}},
        field<device_spec>{&device_spec::image,
                           {.name = "image",
                            .form = field_form::ascii,
                            .least = 1,
                            .most = limits::max_name_bytes,
                            .always_written = true,
                            .types = device_type::rbd,
                            .needed_by = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "The image, which has the feature exclusive-lock.",
                            .sample = "the name of an image, as `rbd ls` shows it"}},
        field<device_spec>{&device_spec::snapshot,
                           {.name = "snapshot",
                            .form = field_form::ascii,
                            .least = 0,
                            .most = limits::max_name_bytes,
                            .types = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "Of the image, served read-only. Empty: the image itself.",
                            .sample = "the name of a snapshot"}},
        field<device_spec>{&device_spec::user,
                           {.name = "user",
                            .form = field_form::ascii,
                            .least = 1,
                            .most = limits::max_name_bytes,
                            .types = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "Who we are to the cluster, without client.",
                            .sample = "the name of a user of cephx, such as \"fulmar\""}},
        field<device_spec>{
            &device_spec::conf,
            {.name = "conf",
             .least = 0,
             .most = limits::max_path_bytes,
             .types = device_type::rbd,
             .foreign = only_an_image,
             .help = "The configuration of the Ceph client. Empty: /etc/ceph/ceph.conf.",
             .sample = "the path of a file"}},
        field<device_spec>{&device_spec::keyring,
                           {.name = "keyring",
                            .least = 0,
                            .most = limits::max_path_bytes,
                            .types = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "The file with the key of the user. Empty: where the "
                                    "configuration of the client says.",
                            .sample = "the path of a file"}},
        field<device_spec>{&device_spec::cpus,
                           {.name = "cpus",
                            .form = field_form::ascii,
                            .least = 0,
                            .most = limits::max_name_bytes,
                            .types = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "CPUs for the threads of the Ceph client, such as 0-3,8. "
                                    "Empty: those of the process.",
                            .sample = "such as \"2-3\""}},
        field<device_spec>{&device_spec::timeout_s,
                           {.name = "timeout_s",
                            .form = field_form::number,
                            .least = 1,
                            .most = limits::max_rbd_timeout_s,
                            .types = device_type::rbd,
                            .foreign = only_an_image,
                            .help = "Seconds after which an operation that the cluster does not "
                                    "answer is given up, and the device is lost."}},
        field<device_spec>{&device_spec::size_bytes,
                           {.name = "size",
                            .form = field_form::size,
                            .most = limits::max_device_bytes,
                            .change = field_change::by_request,
                            .types = device_type::not_a_drive,
                            .needed_by = device_type::of_given_size,
                            .found_by = device_type::of_found_size,
                            .elsewhere = field_elsewhere::shown,
                            .foreign = drives_own,
                            .help = "A multiple of the block size. A file, an export or an image "
                                    "may do without: the size "
                                    "that it has. A drive has its own.",
                            .sample = "such as \"size\": \"256MiB\""}},
        field<device_spec>{&device_spec::block_bytes,
                           {.name = "block_size",
                            .form = field_form::number,
                            .numbers = block_sizes,
                            .always_written = true,
                            .types = device_type::not_a_drive,
                            .found_by = device_type::of_found_size,
                            .elsewhere = field_elsewhere::shown,
                            .foreign = drives_own,
                            .help = "512 or 4096. A request that leaves it out for a file, an "
                                    "export or an image gets what "
                                    "its storage works in. A drive has its own.",
                            .sample = "512 where in doubt"}},
        field<device_spec>{&device_spec::direct,
                           {.name = "direct",
                            .form = field_form::flag,
                            .types = device_type::file,
                            .elsewhere = field_elsewhere::usual,
                            .foreign = "only a \"file\" device can do without O_DIRECT",
                            .help = "O_DIRECT where the file system can; otherwise through the "
                                    "page cache.",
                            .option = "--buffered"}},
        field<device_spec>{
            &device_spec::create,
            {.name = "create",
             .form = field_form::flag,
             .change = field_change::one_time,
             .types = device_type::file,
             .foreign = "only a \"file\" device can be created",
             .help = "Create the file, with the size that is given, when it is absent. A request: "
                     "it is taken out of the configuration when it has been met, and a file that "
                     "is absent afterwards is missing."}},
        field<device_spec>{
            &device_spec::write_cache,
            {.name = "write_cache",
             .form = field_form::word,
             .words = words_of<write_cache_mode>::names,
             .types = device_type::file | device_type::pcie | device_type::nbd,
             .elsewhere = field_elsewhere::usual,
             .foreign = "a \"{}\" device has no write cache to go through",
             .help = "Whether the storage's volatile write cache is used. through: every write is "
                     "durable before it is acknowledged, which on_loss hold needs."}},
        field<device_spec>{&device_spec::description, description_facts},
    };
};

}  // namespace fulmar::core
