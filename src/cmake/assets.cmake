# Files that live inside the binary. Each file in src/<layer>/assets/ becomes a std::string_view:
#   src/admin/assets/openapi.json  ->  #include "admin_assets.hpp"
#                                      fulmar::admin::assets::openapi_json
# fulmar_assets(<library> <layer> <extra file>...) adds files from elsewhere
# (config/fulmard.schema.json).
function(fulmar_assets library layer)
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${layer}/assets/*")
  list(APPEND files ${ARGN})
  set(present "")
  foreach(file IN LISTS files)
    if(EXISTS "${file}" AND NOT file MATCHES "README")
      list(APPEND present "${file}")
    endif()
  endforeach()
  if(NOT present)
    return()
  endif()
  set(dir "${CMAKE_BINARY_DIR}/generated/${layer}")
  set(header "#pragma once\n#include <string_view>\nnamespace fulmar::${layer}::assets {\n")
  set(source "#include \"${layer}_assets.hpp\"\n")
  set(values "")
  foreach(file IN LISTS present)
    cmake_path(GET file FILENAME name)
    string(MAKE_C_IDENTIFIER "${name}" symbol)
    set(label "fulmar_asset_${layer}_${symbol}")
    string(APPEND header "extern const std::string_view ${symbol};\n")
    string(APPEND source "asm(\".pushsection .rodata\\n.global ${label}\\n${label}:\\n"
      ".incbin \\\"${file}\\\"\\n"
      ".global ${label}_end\\n${label}_end:\\n.byte 0\\n.popsection\\n\");\n"
      "extern \"C\" const char ${label}[];\nextern \"C\" const char ${label}_end[];\n")
    string(APPEND values "const std::string_view ${symbol}{${label}, ${label}_end};\n")
  endforeach()
  file(CONFIGURE OUTPUT "${dir}/${layer}_assets.hpp" CONTENT "${header}}\n" @ONLY)
  file(CONFIGURE OUTPUT "${dir}/${layer}_assets.cpp"
       CONTENT "${source}namespace fulmar::${layer}::assets {\n${values}}\n" @ONLY)
  set_source_files_properties("${dir}/${layer}_assets.cpp" PROPERTIES OBJECT_DEPENDS "${present}")
  target_sources(${library} PRIVATE "${dir}/${layer}_assets.cpp")
  target_include_directories(${library} PRIVATE "${dir}")
endfunction()
